MODULES     += session
session_SRC := relay/session/session.c
