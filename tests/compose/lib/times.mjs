// The backend's clocks, as the two ways in which the tests run it have them, in milliseconds.
//   noticeMs     until a relay that has gone silent is missed, and some
//   staleMaxMs   how long the last live agents are shown
//   pollMs       how often the agents are asked for
//   capMs        the longest wait between two attempts to connect

/** Those of short_times.yaml. */
export const SHORT = { noticeMs: 3_000, staleMaxMs: 4_000, pollMs: 200, capMs: 1_500 };

/** The library's own (agent_relay.h). */
export const DEFAULT = { noticeMs: 15_000, staleMaxMs: 30_000, pollMs: 2_000, capMs: 2_000 };
