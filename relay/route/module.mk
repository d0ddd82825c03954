MODULES   += route
route_SRC := $(addprefix relay/route/,router.c server.c session.c upstream.c calls.c deadline.c load_rings.c fair_queue.c peer.c scheduler.c replies.c credit.c hold.c outbox.c \
               splice.c block_pool.c outage.c stray_lines.c views.c)

TEST_FOLDERS    += route
route_TEST_LIBS := fixture/common mcp route wire base
