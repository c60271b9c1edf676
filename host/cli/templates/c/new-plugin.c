/* Refuses recipients that are on a list, and adds a header field to the mail of all others.
 *
 * `build` has `postgate plugin bindings` write plugin.h. An instance serves one session, so what is
 * static is the state of that session. What an answer points to is freed once the gateway has read
 * it, and therefore comes from malloc. */

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "plugin.h"

/* The bindings name everything by its whole path in the contract. */
typedef exports_postgate_plugin_on_headers_headers_answer_t headers_answer_t;
typedef exports_postgate_plugin_on_rcpt_list_pair_t parameters_t;
typedef exports_postgate_plugin_on_rcpt_rcpt_answer_t rcpt_answer_t;
typedef postgate_plugin_types_header_edit_t header_edit_t;
typedef postgate_plugin_types_refusal_t refusal_t;

/* Whether both are the same mailbox, but for the case of ASCII letters. An address has many spellings, which
 * have one canonical form. */
static bool is_same(plugin_string_t *one, plugin_string_t *other)
{
    plugin_string_t a, b;
    postgate_plugin_addresses_canonical(one, &a);
    postgate_plugin_addresses_canonical(other, &b);
    bool same = a.len == b.len && strncasecmp((const char *)a.ptr, (const char *)b.ptr, a.len) == 0;
    plugin_string_free(&a);
    plugin_string_free(&b);
    return same;
}

/* Whether `refused` in the [config] table of new-plugin.toml has this recipient. */
static bool is_refused(plugin_string_t *recipient)
{
    for (unsigned index = 0;; index++) {
        char path[32];
        snprintf(path, sizeof path, "refused.%u", index);
        plugin_string_t key, value;
        plugin_string_set(&key, path);
        if (!postgate_plugin_config_get(&key, &value))
            return false;
        bool found = is_same(&value, recipient);
        plugin_string_free(&value);
        if (found)
            return true;
    }
}

/* What is left out, such as the enhanced code, the gateway fills in. */
static refusal_t refusal(uint16_t code, const char *text)
{
    refusal_t refusal = {.reply.code = code};
    refusal.reply.lines.ptr = malloc(sizeof *refusal.reply.lines.ptr);
    refusal.reply.lines.len = 1;
    plugin_string_dup(&refusal.reply.lines.ptr[0], text);
    return refusal;
}

void exports_postgate_plugin_on_rcpt_on_rcpt(plugin_string_t *recipient, parameters_t *parameters,
                                             rcpt_answer_t *answer)
{
    *answer = (rcpt_answer_t){.verdict.tag = POSTGATE_PLUGIN_TYPES_RCPT_VERDICT_NEXT};
    if (is_refused(recipient)) {
        answer->verdict.tag = POSTGATE_PLUGIN_TYPES_RCPT_VERDICT_REFUSE;
        answer->verdict.val.refuse = refusal(550, "this recipient takes no mail");
    }
    plugin_string_free(recipient);
    exports_postgate_plugin_on_rcpt_list_pair_free(parameters);
}

void exports_postgate_plugin_on_headers_on_headers(headers_answer_t *answer)
{
    *answer = (headers_answer_t){.verdict.tag = POSTGATE_PLUGIN_TYPES_VERDICT_NEXT};
    answer->edits.ptr = malloc(sizeof *answer->edits.ptr);
    answer->edits.len = 1;
    answer->edits.ptr[0].tag = POSTGATE_PLUGIN_TYPES_HEADERS_EDIT_HEADER;

    header_edit_t *edit = &answer->edits.ptr[0].val.header;
    edit->tag = POSTGATE_PLUGIN_TYPES_HEADER_EDIT_APPEND;
    plugin_string_dup(&edit->val.append.name, "X-Checked-By");
    plugin_string_t value;
    plugin_string_dup(&value, "new-plugin");
    edit->val.append.value.ptr = value.ptr;
    edit->val.append.value.len = value.len;
}
