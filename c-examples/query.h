/* One number out of a query string: "ms=250&x=1". */
#ifndef QUERY_H
#define QUERY_H

#include "address.h"

/* The text of `name` in `query`; NULL if it is not there. The first one counts. */
static inline const char *query_find(const char *query, const char *name, size_t *len)
{
    size_t name_len = strlen(name);

    for (const char *field = query; field != NULL; field = strchr(field, '&')) {
        if (*field == '&')
            field++;
        if (strncmp(field, name, name_len) == 0 && field[name_len] == '=') {
            const char *value = field + name_len + 1;
            *len = strcspn(value, "&");
            return value;
        }
    }
    return NULL;
}

/* The number `name` in `query`, `*out` unchanged if it is not given. False if it is given but is
 * not a plain number from 0 to `max`. */
static inline bool query_number(const char *query, const char *name, uint64_t max, uint64_t *out)
{
    size_t len;
    const char *value = query_find(query, name, &len);

    return value == NULL || digits_parse(value, len, max, out);
}

#endif
