/* Checks that need every source loaded: references between options, and limits that contradict each other. */
#ifndef CONFIG_CONFIG_CHECK_H
#define CONFIG_CONFIG_CHECK_H

#include "config/config_internal.h"

/* Also sets the default server. */
void check_config(struct loader *l);

#endif
