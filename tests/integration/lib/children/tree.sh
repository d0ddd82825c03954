#!/bin/sh
# A server behind a shell, with grandchildren of every kind that a process can have: plain, in a group of its own, in a
# session of its own, double-forked, and one that ignores every polite signal.
#
#   tree.sh COMMAND ARG...      (the server; not exec'd, so that the shell stays in between, as with npx)
sleep 86400 &
perl -e 'setpgrp(0, 0); exec @ARGV' sleep 86401 &
setsid sleep 86402 &
(setsid sh -c 'sleep 86403 & sleep 86404' >/dev/null 2>&1 &)
perl -e '$SIG{$_} = "IGNORE" for qw(TERM HUP INT PIPE); exec @ARGV' sleep 86405 &
"$@"
