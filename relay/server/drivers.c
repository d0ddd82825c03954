/* Which driver runs a server's instances. All that can run today are local commands; an entry that names a
 * remote server does not get here (server_unavailable). */
#include "server/process/process_driver.h"
#include "server/server_internal.h"

int drivers_open(struct server_set *set)
{
    const struct server_set_options *o = &set->options;
    if (o->driver) {
        set->driver = o->driver;
        return 0;
    }
    struct process_driver_options options = {.loop = o->loop,
                                             .memory = o->memory,
                                             .environ = o->environ,
                                             .soft_nofile = o->original_nofile.rlim_cur,
                                             .program_dir = o->program_dir};
    return process_driver_open(&options, &set->driver);
}

struct driver *driver_of(const struct server *server)
{
    return server->set->driver;
}
