/* Prints to its standard output and its standard error, by way of the C library. */

#include <stdio.h>

#include "plugin.h"

void exports_postgate_plugin_on_rcpt_on_rcpt(
    plugin_string_t *recipient, exports_postgate_plugin_on_rcpt_list_pair_t *parameters,
    exports_postgate_plugin_on_rcpt_rcpt_answer_t *answer)
{
    *answer = (exports_postgate_plugin_on_rcpt_rcpt_answer_t){0};
    printf("for %.*s\n", (int)recipient->len, recipient->ptr);
    fflush(stdout);
    fprintf(stderr, "%zu parameters", parameters->len);
    FILE *file = fopen("/etc/passwd", "r");
    fprintf(stderr, ", file %s\n", file ? "open" : "denied");
}
