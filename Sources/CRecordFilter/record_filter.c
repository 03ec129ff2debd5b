// libfcgi trusts its peer: FCGI_GET_VALUES with four names overwrites its stack, and a name of two gigabytes ends the
// process. It reads by calling OS_Read, which the linker takes from the program: this one fails at the first record
// that no web server sends, so libfcgi closes the connection. Layouts: FastCGI specification, sections 3.3 and 3.4.
#include "record_filter.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { VERSION = 1, BEGIN_REQUEST = 1, ABORT_REQUEST = 2, PARAMS = 4, STDIN = 5, HEADER_LENGTH = 8 };

// The most bytes of all PARAMS of a request; nginx sends 128 KB of header fields at most.
enum { PARAMS_LIMIT = 1 << 20 };

static _Thread_local struct {
    unsigned char header[HEADER_LENGTH];
    size_t header_count;
    // What is still to come of the record.
    size_t content, padding;
    size_t params_count;
    // The two lengths of a pair, each of one byte or of four, and what is still to come of the pair.
    unsigned char lengths[8];
    size_t lengths_count, pair;
    bool is_malformed;
} state;

void record_filter_reset(void) { memset(&state, 0, sizeof state); }

static bool begin_record(void) {
    const unsigned char *header = state.header;
    int type = header[1];
    bool is_known = type == BEGIN_REQUEST || type == ABORT_REQUEST || type == PARAMS || type == STDIN;
    // The id 0 is that of management records, such as FCGI_GET_VALUES.
    bool has_id = header[2] != 0 || header[3] != 0;
    state.content = (size_t)header[4] << 8 | header[5];
    state.padding = header[6];
    state.header_count = 0;
    // libfcgi takes the padding of these for the next record.
    bool is_framed = state.padding == 0 || (type != BEGIN_REQUEST && state.content > 0);
    return header[0] == VERSION && is_known && has_id && is_framed;
}

// Reads a length from `bytes`, of which `count` have arrived; the number of its bytes, 0 if some are missing.
static size_t read_length(const unsigned char *bytes, size_t count, size_t *length) {
    if (count == 0) return 0;
    if (bytes[0] < 0x80) {
        *length = bytes[0];
        return 1;
    }
    if (count < 4) return 0;
    *length = (size_t)(bytes[0] & 0x7f) << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
    return 4;
}

static bool check_params(const unsigned char *bytes, size_t count) {
    state.params_count += count;
    if (state.params_count > PARAMS_LIMIT) return false;
    while (count > 0) {
        if (state.pair > 0) {
            size_t part = state.pair < count ? state.pair : count;
            state.pair -= part;
            bytes += part;
            count -= part;
            continue;
        }
        state.lengths[state.lengths_count++] = *bytes++;
        count--;
        size_t name, value;
        size_t first = read_length(state.lengths, state.lengths_count, &name);
        if (first == 0) continue;
        if (read_length(state.lengths + first, state.lengths_count - first, &value) == 0) continue;
        if (name > PARAMS_LIMIT || value > PARAMS_LIMIT) return false;
        state.pair = name + value;
        state.lengths_count = 0;
    }
    return true;
}

static bool check(const unsigned char *bytes, size_t count) {
    while (count > 0) {
        size_t part;
        if (state.content > 0) {
            part = state.content < count ? state.content : count;
            if (state.header[1] == PARAMS && !check_params(bytes, part)) return false;
            state.content -= part;
        } else if (state.padding > 0) {
            part = state.padding < count ? state.padding : count;
            state.padding -= part;
        } else {
            size_t missing = HEADER_LENGTH - state.header_count;
            part = missing < count ? missing : count;
            memcpy(state.header + state.header_count, bytes, part);
            state.header_count += part;
            if (state.header_count == HEADER_LENGTH && !begin_record()) return false;
        }
        bytes += part;
        count -= part;
    }
    return true;
}

// Instead of libfcgi's function of this name, which only reads.
int OS_Read(int descriptor, char *buffer, size_t length) {
    ssize_t count = state.is_malformed ? 0 : read(descriptor, buffer, length);
    if (count <= 0) return (int)count;
    state.is_malformed = !check((const unsigned char *)buffer, (size_t)count);
    if (!state.is_malformed) return (int)count;
    errno = EPROTO;
    return -1;
}
