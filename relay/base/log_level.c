#include "base/log_level.h"

#include <stddef.h>

const char *const log_level_names[] = {[LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn",
                                       [LOG_ERROR] = "error", [LOG_OFF] = "off",   NULL};
const char *const log_format_names[] = {[LOG_LOGFMT] = "logfmt", [LOG_JSON] = "json", NULL};
