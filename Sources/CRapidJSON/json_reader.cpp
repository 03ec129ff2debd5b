#if defined(__SSE4_2__)
#define RAPIDJSON_SSE42
#elif defined(__SSE2__)
#define RAPIDJSON_SSE2
#elif defined(__ARM_NEON)
#define RAPIDJSON_NEON
#endif

#include "include/json_reader.h"

#include <cstring>

#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

namespace {

using namespace rapidjson;

// Takes what the reader meets: the members of the outermost object, and nothing inside them.
struct Handler : BaseReaderHandler<UTF8<>, Handler> {
    json_value &result;
    int depth = 0;

    explicit Handler(json_value &result) : result(result) {}

    // Whether the text is UTF-8: the reader lets an escaped second half of a surrogate pair through.
    bool isWhole(const char *text, size_t length) {
        const char *end = text + length;
        while ((text = static_cast<const char *>(memchr(text, 0xed, end - text)))) {
            if (end - text > 1 && static_cast<unsigned char>(text[1]) >= 0xa0) {
                result.error = "The surrogate pair in string is invalid.";
                return false;
            }
            text++;
        }
        return true;
    }

    bool take(json_kind kind, const char *value = nullptr, size_t length = 0) {
        if (depth == 0) result.kind = kind;
        if (depth != 1 || result.kind != JSON_OBJECT) return true;
        size_t index = result.member_count - 1;
        if (index >= JSON_MEMBER_LIMIT) return true;
        json_member &member = result.members[index];
        member.kind = kind;
        member.value = value;
        member.value_length = length;
        return true;
    }

    bool Null() { return take(JSON_NULL); }
    bool Bool(bool value) { return take(value ? JSON_TRUE : JSON_FALSE); }
    bool RawNumber(const char *digits, SizeType length, bool) { return take(JSON_NUMBER, digits, length); }
    bool String(const char *text, SizeType length, bool) {
        return isWhole(text, length) && take(JSON_STRING, text, length);
    }
    bool StartObject() { return take(JSON_OBJECT) && ++depth <= JSON_DEPTH_LIMIT; }
    bool StartArray() { return take(JSON_ARRAY) && ++depth <= JSON_DEPTH_LIMIT; }
    bool EndObject(SizeType) { return --depth, true; }
    bool EndArray(SizeType) { return --depth, true; }

    bool Key(const char *name, SizeType length, bool) {
        if (!isWhole(name, length)) return false;
        if (depth != 1) return true;
        if (result.member_count < JSON_MEMBER_LIMIT) {
            json_member &member = result.members[result.member_count];
            member.name = name;
            member.name_length = length;
        }
        result.member_count++;
        return true;
    }
};

}  // namespace

void json_read(char *text, size_t offset, json_value *value) {
    constexpr unsigned flags = kParseInsituFlag | kParseStopWhenDoneFlag | kParseIterativeFlag |
                               kParseNumbersAsStringsFlag;
    value->member_count = 0;
    value->error = nullptr;
    Handler handler(*value);
    InsituStringStream stream(text + offset);
    Reader reader;
    ParseResult parsed = reader.Parse<flags>(stream, handler);
    if (parsed) {
        value->end = offset + stream.Tell();
        return;
    }
    value->end = offset + parsed.Offset();
    if (value->error) return;
    value->error = parsed.Code() == kParseErrorTermination ? "It has too many levels."
                                                           : GetParseError_En(parsed.Code());
}
