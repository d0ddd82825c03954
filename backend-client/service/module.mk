# agent-backend: the library in a service. libmicrohttpd brings its own threads.
mhd_libs = $(shell pkg-config --libs libmicrohttpd 2>/dev/null || echo -lmicrohttpd)

# All but main, so that the tests can link what they need.
MODULES     += service
service_SRC := backend-client/service/settings.c backend-client/service/listen.c backend-client/service/check.c \
               backend-client/service/guard.c backend-client/service/request.c backend-client/service/tool.c backend-client/service/tool_list.c \
               backend-client/service/tool_cache.c backend-client/service/state_log.c backend-client/service/outage_hint.c backend-client/service/shared_text.c \
               backend-client/service/places.c backend-client/service/view_cache.c backend-client/service/exchange_tools.c \
               backend-client/service/failure.c backend-client/service/view.c backend-client/service/view_health.c \
               backend-client/service/view_agents.c backend-client/service/view_graph.c \
               backend-client/service/view_status.c backend-client/service/hub.c backend-client/service/watch.c \
               backend-client/service/suspended_requests.c \
               backend-client/service/publish.c backend-client/service/exchange.c backend-client/service/routes.c \
               backend-client/service/endpoint_views.c backend-client/service/endpoint_events.c \
               backend-client/service/endpoint_page.c backend-client/service/endpoint_task.c \
               backend-client/service/endpoint_submit.c \
               backend-client/service/endpoint_swarm.c backend-client/service/http.c \
               backend-client/service/service.c $(OBJ)/backend-client/service/assets.c

# The page's files as C arrays. od and sed are POSIX.
service_assets := page.html page.css page.js icon.svg
$(OBJ)/backend-client/service/assets.c: $(service_assets:%=backend-client/service/%) backend-client/service/module.mk
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q){ echo '/* Generated from the page'"'"'s files. */'; \
	  echo '#include "backend-client/service/assets.h"'; \
	  for file in $(service_assets); do \
	    name=$$(echo "$$file" | tr . _); \
	    echo "const char $$name[] = {"; \
	    od -An -v -tx1 "backend-client/service/$$file" | sed 's/  */ /g; s/ \(..\)/(char)0x\1,/g'; \
	    echo "};"; \
	    echo "const size_t $${name}_len = sizeof($$name);"; \
	  done; } >$@

PROGRAMS             += agent-backend
agent-backend_SRC    := backend-client/service/main.c
agent-backend_LIBS   := seed service agentrelay mock_mcp mock wire program base
agent-backend_LDLIBS := $(uv_libs) $(mhd_libs) -lm -lpthread

# The views are tested over snapshots of the tests' own making, which the fixture supplies in the library's place.
TEST_FOLDERS                       += backend-client/service
backend-client/service_TEST_LIBS   := fixture/common service agentrelay mock_mcp mock wire base
backend-client/service_TEST_LDLIBS := $(uv_libs) -lm -lpthread

NODE_TESTS += tests/integration/backend.test.mjs tests/integration/backend_http.test.mjs tests/integration/backend_tools.test.mjs \
              tests/integration/page.test.mjs
