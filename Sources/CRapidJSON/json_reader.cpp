#if defined(__SSE4_2__)
#define RAPIDJSON_SSE42
#elif defined(__SSE2__)
#define RAPIDJSON_SSE2
#elif defined(__ARM_NEON)
#define RAPIDJSON_NEON
#endif

#include "include/json_reader.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

namespace {

using namespace rapidjson;

// A byte that is invalid in UTF-8: it marks half of a surrogate pair.
constexpr char halfPair = '\xff';

// Takes what the reader meets: the members of the outermost object and of objects in it, and nothing inside them.
struct Handler : BaseReaderHandler<UTF8<>, Handler> {
    json_value &result;
    int depth = 0;
    bool isObject[JSON_DEPTH_LIMIT];  // of each open level

    explicit Handler(json_value &result) : result(result) {}

    void take(json_kind kind, const char *value = nullptr, size_t length = 0) {
        if (depth == 0) result.kind = kind;
        json_member *member = last();
        if (!member) return;
        member->kind = kind;
        member->value = value;
        member->value_length = length;
        if (kind != JSON_OBJECT) return;
        member->first_nested = result.nested_count;
        member->nested_count = 0;
    }

    // The member whose value comes next; NULL where it is not taken.
    json_member *last() {
        if (depth < 1 || depth > 2 || result.kind != JSON_OBJECT) return nullptr;
        if (depth == 1) return at(result.members, result.member_count);
        return isObject[1] ? at(result.nested, result.nested_count) : nullptr;
    }

    static json_member *at(json_member *members, size_t count) {
        return count <= JSON_MEMBER_LIMIT ? &members[count - 1] : nullptr;
    }

    bool open(json_kind kind) {
        take(kind);
        if (depth == JSON_DEPTH_LIMIT) return false;
        isObject[depth++] = kind == JSON_OBJECT;
        return true;
    }

    bool Null() { return take(JSON_NULL), true; }
    bool Bool(bool value) { return take(value ? JSON_TRUE : JSON_FALSE), true; }
    bool RawNumber(const char *digits, SizeType length, bool) { return take(JSON_NUMBER, digits, length), true; }
    bool String(const char *text, SizeType length, bool) {
        bool isBroken = (depth == 1 || depth == 2) && memchr(text, halfPair, length);
        return take(isBroken ? JSON_BROKEN_STRING : JSON_STRING, text, length), true;
    }
    bool StartObject() { return open(JSON_OBJECT); }
    bool StartArray() { return open(JSON_ARRAY); }
    bool EndObject(SizeType) { return --depth, true; }
    bool EndArray(SizeType) { return --depth, true; }

    bool Key(const char *name, SizeType length, bool) {
        if (depth > 2 || result.kind != JSON_OBJECT) return true;
        // A member's name that is missing, whatever is there instead.
        std::replace(const_cast<char *>(name), const_cast<char *>(name) + length, halfPair, '?');
        if (depth == 1) {
            result.member_count++;
        } else {
            result.nested_count++;
            if (json_member *parent = at(result.members, result.member_count)) parent->nested_count++;
        }
        if (json_member *member = last()) {
            member->name = name;
            member->name_length = length;
        }
        return true;
    }
};

// Skips the rest of a value; `open` has its open brackets, true for those of objects.
bool skipRest(const char *&next, std::vector<bool> &open) {
    while (!open.empty()) {
        char byte = *next++;
        switch (byte) {
        case '"':
            for (; *next != '"'; next++) {
                if (*next == '\\') next++;
                if (static_cast<unsigned char>(*next) < 0x20) return false;
            }
            next++;
            break;
        case '{': case '[': open.push_back(byte == '{'); break;
        case '}': case ']':
            if (open.back() != (byte == '}')) return false;
            open.pop_back();
            break;
        case '\0': return next--, false;
        }
    }
    return true;
}

// Whether the rest of the value can be skipped after an error.
bool isSkipped(ParseErrorCode code, Handler &handler, const char *&next) {
    if (code == kParseErrorNumberTooBig) {
        size_t length = strspn(next, "+-.0123456789eE");
        handler.take(JSON_NUMBER, next, length);
        next += length;
    } else if (code != kParseErrorTermination) {
        return false;
    }
    std::vector<bool> open(handler.isObject, handler.isObject + handler.depth);
    // The next byte is one bracket too many.
    return skipRest(next, open);
}

// The surrogate that an escape encodes; 0 for anything else.
unsigned halfPairAt(const char *text, const char *end) {
    if (end - text < 6 || text[0] != '\\' || text[1] != 'u' || (text[2] | 0x20) != 'd') return 0;
    unsigned unit = 0xd;
    for (int index = 3; index < 6; index++) {
        char digit = text[index] | 0x20;
        if (digit >= 'a' && digit <= 'f') unit = unit << 4 | (digit - 'a' + 10);
        else if (text[index] >= '0' && text[index] <= '9') unit = unit << 4 | (text[index] - '0');
        else return 0;
    }
    return unit >= 0xd800 ? unit : 0;
}

}  // namespace

void json_mark_half_pairs(char *text, size_t offset, size_t end) {
    char *next = text + offset, *last = text + end;
    while (next < last && (next = static_cast<char *>(memchr(next, '\\', last - next)))) {
        unsigned unit = halfPairAt(next, last);
        if (!unit) {
            next += 2;
        } else if (unit < 0xdc00 && halfPairAt(next + 6, last) >= 0xdc00) {
            next += 12;
        } else {
            next = std::fill_n(next, 6, halfPair);
        }
    }
}

void json_read(char *text, size_t offset, json_value *value) {
    constexpr unsigned flags = kParseInsituFlag | kParseStopWhenDoneFlag | kParseIterativeFlag |
                               kParseNumbersAsStringsFlag;
    value->member_count = 0;
    value->nested_count = 0;
    value->error = nullptr;
    value->is_cut = false;
    Handler handler(*value);
    InsituStringStream stream(text + offset);
    Reader reader;
    ParseResult parsed = reader.Parse<flags>(stream, handler);
    if (parsed) {
        value->end = offset + stream.Tell();
        return;
    }
    const char *next = text + offset + parsed.Offset();
    value->is_cut = isSkipped(parsed.Code(), handler, next);
    value->end = next - text;
    if (value->is_cut) return;
    if (parsed.Code() == kParseErrorTermination || parsed.Code() == kParseErrorNumberTooBig) {
        value->error = "Its brackets and quotes do not match.";
    } else if (parsed.Code() == kParseErrorDocumentEmpty) {
        value->error = "A value is missing (JSON allows no comma after the last one).";
    } else {
        value->error = GetParseError_En(parsed.Code());
    }
}
