NODE_TESTS += tests/integration/harness.test.mjs \
              tests/integration/sharing.test.mjs \
              tests/integration/crowd.test.mjs \
              tests/integration/hostile.test.mjs \
              tests/integration/lines.test.mjs \
              tests/integration/framing.test.mjs \
              tests/integration/refusals.test.mjs \
              tests/integration/children.test.mjs \
              tests/integration/child_life.test.mjs \
              tests/integration/trees.test.mjs \
              tests/integration/flow.test.mjs \
              tests/integration/memory.test.mjs \
              tests/integration/fairness.test.mjs \
              tests/integration/lifecycle.test.mjs \
              tests/integration/control.test.mjs \
              tests/integration/config.test.mjs \
              tests/integration/reload.test.mjs \
              tests/integration/signals.test.mjs \
              tests/integration/mock.test.mjs \
              tests/integration/sdk_everything.test.mjs \
              tests/integration/sdk_session.test.mjs \
              tests/integration/sdk_files.test.mjs \
              tests/integration/soak.test.mjs
