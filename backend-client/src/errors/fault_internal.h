/* Shared by the files of fault. */
#ifndef CLIENT_FAULT_INTERNAL_H
#define CLIENT_FAULT_INTERNAL_H

#include "fault.h"
#include "wire/text_builder.h"

/* A configured address can fill the whole text; it is cut at this length so that the reason fits. */
#define FAULT_ADDRESS_BYTES 96
#define FAULT_WHAT_BYTES    40

/* Sets the name and the suggestion, and starts the text. */
void fault_begin(struct fault *f, struct text_builder *text, const char *name, const char *suggestion);
/* The address as configured, shortened when it is very long. */
void fault_add_address(struct text_builder *text, const char *address);
/* The method that was answered, or not. */
void fault_add_method(struct text_builder *text, const char *what);

#endif
