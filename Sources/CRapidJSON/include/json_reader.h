// RapidJSON for Swift: reads one JSON value after another, in place.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum json_kind {
    JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT,
    JSON_BROKEN_STRING  // contains half of a surrogate pair
};

// A member of the object that was read; the bytes lie in the text.
struct json_member {
    const char *name;
    size_t name_length;
    enum json_kind kind;
    const char *value;    // the digits of a number, the characters of a string
    size_t value_length;
    size_t first_nested;  // of an object: where its members are in `nested`
    size_t nested_count;  // and how many it has
};

enum { JSON_MEMBER_LIMIT = 64, JSON_DEPTH_LIMIT = 2048 };

// What was read; of an object the first members, and theirs if they are objects; of everything else the kind.
struct json_value {
    enum json_kind kind;
    size_t member_count;  // may be more than there is room for
    struct json_member members[JSON_MEMBER_LIMIT];
    size_t nested_count;  // may be more than there is room for
    struct json_member nested[JSON_MEMBER_LIMIT];
    bool is_cut;          // whether some members were not parsed
    size_t end;           // the offset after it
    const char *error;    // what is wrong, or NULL
};

// Overwrites each escape of half a surrogate pair with bytes that are invalid in UTF-8, which
// json_read recognises. The text from offset to end must be UTF-8 that has not been read yet.
void json_mark_half_pairs(char *text, size_t offset, size_t end);

// Reads the value that begins at text + offset, and writes the characters of its strings over
// themselves. The text must be UTF-8, except for marked half pairs, and end with NUL. After an
// error, end is the offset where it was detected.
//
// After a number that is too large, or below JSON_DEPTH_LIMIT levels, the rest of the value is not
// parsed, only its strings and brackets: is_cut is set.
void json_read(char *text, size_t offset, struct json_value *value);

// The members of the object that was read.
static inline const struct json_member *json_members(const struct json_value *value) { return value->members; }

// The members of its members.
static inline const struct json_member *json_nested(const struct json_value *value) { return value->nested; }

#ifdef __cplusplus
}
#endif
