#include <zlib.h>

// Inflates what `input` has from `start` to `end`, as far as `output` has room for it; `stream` tells how much of
// both is left.
static inline int inflate_piece(
    z_stream *stream, const unsigned char *input, long start, long end, unsigned char *output, unsigned room
) {
    stream->next_in = (unsigned char *)input + start;
    stream->avail_in = (unsigned)(end - start);
    stream->next_out = output;
    stream->avail_out = room;
    return inflate(stream, Z_NO_FLUSH);
}

// Deflates what `input` has from `start` to `end`, as far as `output` has room for it.
static inline int deflate_piece(
    z_stream *stream, const unsigned char *input, long start, long end, unsigned char *output, unsigned room,
    int flush
) {
    stream->next_in = (unsigned char *)input + start;
    stream->avail_in = (unsigned)(end - start);
    stream->next_out = output;
    stream->avail_out = room;
    return deflate(stream, flush);
}
