import CFastCGI
import Glibc

/// FastCGI records that we write ourselves (FastCGI specification, section 3.3).
enum Record {
    /// The most content that one record can carry.
    static let contentLimit = Int(FCGI_MAX_LENGTH)

    /// Writes `bytes` as standard output records, each with one `writev`.
    ///
    /// libfcgi's own stream makes records of 8 KB, with a system call for each.
    static func writeOutput(
        _ bytes: UnsafeRawBufferPointer, requestID: Int32, to descriptor: Int32
    ) throws(FastCGIError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let content = UnsafeRawBufferPointer(rebasing: rest.prefix(contentLimit))
            var header = header(FCGI_STDOUT, requestID: requestID, contentLength: content.count)
            let code = header.withUnsafeMutableBytes { writeAll($0, content, to: descriptor) }
            guard code == 0 else { throw FastCGIError("writev", code) }
            rest = rest.dropFirst(content.count)
        }
    }

    /// A record of no known version: the web server drops the connection as broken.
    ///
    /// Closing alone is not enough: without `fastcgi_keep_conn`, nginx ends the body cleanly.
    static let invalid = [UInt8](repeating: 0, count: 8)

    private static func header(_ type: Int32, requestID: Int32, contentLength: Int) -> [UInt8] {
        [
            UInt8(FCGI_VERSION_1), UInt8(type),
            UInt8(truncatingIfNeeded: requestID >> 8), UInt8(truncatingIfNeeded: requestID),
            UInt8(contentLength >> 8), UInt8(contentLength & 0xff), 0, 0,
        ]
    }

    /// Writes both buffers whole; the `errno` of a failure, or 0.
    private static func writeAll(
        _ header: UnsafeMutableRawBufferPointer, _ content: UnsafeRawBufferPointer,
        to descriptor: Int32
    ) -> Int32 {
        var parts = [
            iovec(iov_base: header.baseAddress, iov_len: header.count),
            iovec(
                iov_base: UnsafeMutableRawPointer(mutating: content.baseAddress),
                iov_len: content.count),
        ]
        var left = header.count + content.count
        while left > 0 {
            let written = writev(descriptor, &parts, 2)
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { return errno }
            left -= written
            skip(written, in: &parts)
        }
        return 0
    }

    private static func skip(_ count: Int, in parts: inout [iovec]) {
        var count = count
        for index in parts.indices {
            let step = min(count, parts[index].iov_len)
            parts[index].iov_base += step
            parts[index].iov_len -= step
            count -= step
        }
    }
}
