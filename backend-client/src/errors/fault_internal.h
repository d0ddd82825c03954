/* What the files of fault share. */
#ifndef CLIENT_FAULT_INTERNAL_H
#define CLIENT_FAULT_INTERNAL_H

#include "fault.h"
#include "wire/text_builder.h"

/* An address as it was configured can be as long as a whole text; more of it than this would push out the
 * reason. */
#define FAULT_ADDRESS_BYTES 96
#define FAULT_WHAT_BYTES    40

/* Sets the name and the suggestion, and begins the text. */
void fault_begin(struct fault *f, struct text_builder *text, const char *name, const char *suggestion);
/* The address as configured, shortened when it is very long. */
void fault_say_address(struct text_builder *text, const char *address);
/* The method that was answered, or not. */
void fault_say_what(struct text_builder *text, const char *what);

#endif
