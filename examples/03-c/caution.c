/* Refuses mail for a closed mailbox, and marks messages that mention a phrase.
 *
 * plugin.h is made by `postgate plugin bindings`. A plugin serves one session, in a memory of its own
 * that goes with the session. What an answer points to is freed once the gateway has read it, and
 * therefore comes from malloc. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plugin.h"

/* The bindings name everything by its whole path in the contract. */
typedef exports_postgate_plugin_on_rcpt_list_pair_t parameters_t;
typedef exports_postgate_plugin_on_rcpt_rcpt_answer_t rcpt_answer_t;
typedef exports_postgate_plugin_on_message_message_answer_t message_answer_t;
typedef postgate_plugin_types_refusal_t refusal_t;
typedef postgate_plugin_types_message_edit_t message_edit_t;

static const uint32_t READ_AT_MOST = 65536;

/* What stands below [config] in caution.toml. */
static plugin_string_t closed;
static plugin_string_t phrase;

static bool configured(const char *key, plugin_string_t *value)
{
    plugin_string_t path;
    plugin_string_set(&path, key);
    return postgate_plugin_config_get(&path, value) && value->len > 0;
}

bool exports_postgate_plugin_on_init_on_init(plugin_string_t *error)
{
    plugin_string_t address;
    if (!configured("closed", &address) || !configured("phrase", &phrase)) {
        plugin_string_dup(error, "config.closed or config.phrase is missing");
        return false;
    }
    postgate_plugin_addresses_canonical(&address, &closed);
    plugin_string_free(&address);
    return true;
}

/* Whether both begin with the same `length` octets, but for the case of ASCII letters. */
static bool same(const uint8_t *one, const uint8_t *other, size_t length)
{
    return strncasecmp((const char *)one, (const char *)other, length) == 0;
}

static refusal_t refusal(uint16_t code, uint8_t class, uint16_t subject, uint16_t detail,
                         const char *text)
{
    refusal_t refusal = {.reply = {.code = code}};
    refusal.reply.enhanced.is_some = true;
    refusal.reply.enhanced.val.class_ = class;
    refusal.reply.enhanced.val.subject = subject;
    refusal.reply.enhanced.val.detail = detail;
    refusal.reply.lines.ptr = malloc(sizeof *refusal.reply.lines.ptr);
    refusal.reply.lines.len = 1;
    plugin_string_dup(&refusal.reply.lines.ptr[0], text);
    return refusal;
}

void exports_postgate_plugin_on_rcpt_on_rcpt(plugin_string_t *recipient, parameters_t *parameters,
                                             rcpt_answer_t *answer)
{
    *answer = (rcpt_answer_t){.verdict.tag = POSTGATE_PLUGIN_TYPES_RCPT_VERDICT_NEXT};
    /* An address has many spellings: "leaver"@example.org is the same mailbox. */
    plugin_string_t mailbox;
    postgate_plugin_addresses_canonical(recipient, &mailbox);
    if (mailbox.len == closed.len && same(mailbox.ptr, closed.ptr, closed.len)) {
        answer->verdict.tag = POSTGATE_PLUGIN_TYPES_RCPT_VERDICT_REFUSE;
        answer->verdict.val.refuse = refusal(550, 5, 2, 1, "this mailbox is closed");
    }
    plugin_string_free(&mailbox);
    plugin_string_free(recipient);
    exports_postgate_plugin_on_rcpt_list_pair_free(parameters);
}

static bool mentions(const plugin_string_t *text, const plugin_string_t *words)
{
    for (size_t at = 0; at + words->len <= text->len; at++)
        if (same(text->ptr + at, words->ptr, words->len))
            return true;
    return false;
}

/* Whether the text that a reader is shown mentions the phrase. */
static bool message_mentions_phrase(void)
{
    uint32_t part;
    plugin_string_t text;
    if (!postgate_plugin_message_plain_part(&part) ||
        !postgate_plugin_message_read_text(part, 0, READ_AT_MOST, &text))
        return false;
    bool found = mentions(&text, &phrase);
    plugin_string_free(&text);
    return found;
}

void exports_postgate_plugin_on_message_on_message(message_answer_t *answer)
{
    *answer = (message_answer_t){.verdict.tag = POSTGATE_PLUGIN_TYPES_MESSAGE_VERDICT_NEXT};
    answer->edits.ptr = malloc(sizeof *answer->edits.ptr);
    answer->edits.len = 1;
    message_edit_t *edit = &answer->edits.ptr[0];
    edit->tag = POSTGATE_PLUGIN_TYPES_MESSAGE_EDIT_HEADER;

    if (!message_mentions_phrase()) {
        /* Only this plugin says so: what a sender wrote there is not believed. */
        edit->val.header.tag = POSTGATE_PLUGIN_TYPES_HEADER_EDIT_REMOVE_ALL;
        plugin_string_dup(&edit->val.header.val.remove_all, "X-Caution");
        return;
    }
    edit->val.header.tag = POSTGATE_PLUGIN_TYPES_HEADER_EDIT_SET;
    plugin_string_dup(&edit->val.header.val.set.name, "X-Caution");
    char *value;
    int length = asprintf(&value, "mentions \"%.*s\"", (int)phrase.len, phrase.ptr);
    edit->val.header.val.set.value.ptr = (uint8_t *)value;
    edit->val.header.val.set.value.len = (size_t)length;
}
