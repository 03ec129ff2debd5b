import CFastCGI
import Glibc

/// FastCGI records that we write ourselves (FastCGI specification, section 3.3).
///
/// libfcgi's own stream writes records of 8 KB, each with its own system call, and each wakes the
/// web server. Ours are up to 64 KB and share one system call.
enum FastCGIRecord {
    /// The most content that one record can carry.
    static let contentLimit = Int(FCGI_MAX_LENGTH)

    /// A record of an unknown version, for which the web server aborts the connection.
    ///
    /// Closing alone is not enough: without `fastcgi_keep_conn`, nginx ends the body cleanly.
    static let invalid = [UInt8](repeating: 0, count: 8)

    /// The most records of one `writev`, below its limit.
    private static let batchLimit = 256

    private static let headerLength = Int(FCGI_HEADER_LEN)

    /// How a response ends.
    enum Ending {
        /// The connection stays open for another request.
        case kept
        /// The connection is closed next, although the web server asked to keep it.
        case farewell
    }

    /// Writes `parts` in order as standard output, and with `ending` the end of the response; the
    /// `errno` of a failure, or 0.
    static func write(
        _ parts: [UnsafeRawBufferPointer], requestID: Int32, ending: Ending? = nil,
        to descriptor: Int32
    ) -> Int32 {
        var contents = parts.flatMap(pieces)[...]
        repeat {
            let batch = contents.prefix(batchLimit)
            contents = contents.dropFirst(batchLimit)
            var headers = batch.flatMap {
                header(FCGI_STDOUT, requestID: requestID, contentLength: $0.count)
            }
            if let ending, contents.isEmpty { headers += end(ending, requestID: requestID) }
            let code = headers.withUnsafeMutableBytes { headers in
                writeAll(Array(batch), headers, to: descriptor)
            }
            guard code == 0 else { return code }
        } while !contents.isEmpty
        return 0
    }

    /// Splits a part into the contents of records.
    private static func pieces(_ part: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
        stride(from: 0, to: part.count, by: contentLimit).map {
            UnsafeRawBufferPointer(rebasing: part[$0..<min($0 + contentLimit, part.count)])
        }
    }

    static func header(_ type: Int32, requestID: Int32, contentLength: Int) -> [UInt8] {
        [
            UInt8(FCGI_VERSION_1), UInt8(type),
            UInt8(truncatingIfNeeded: requestID >> 8), UInt8(truncatingIfNeeded: requestID),
            UInt8(contentLength >> 8), UInt8(contentLength & 0xff), 0, 0,
        ]
    }

    /// The end of standard output and of the request: status 0, FCGI_REQUEST_COMPLETE (section 5.5).
    private static func end(_ ending: Ending, requestID: Int32) -> [UInt8] {
        header(FCGI_STDOUT, requestID: requestID, contentLength: 0)
            + header(FCGI_END_REQUEST, requestID: requestID, contentLength: 8)
            + [UInt8](repeating: 0, count: 8)
            + (ending == .farewell ? farewell : [])
    }

    /// A management record without a meaning (section 4.2).
    ///
    /// FastCGI cannot announce that a connection will be closed: nginx would keep it and might send
    /// a request before it sees the close, which ends a POST with a 502. nginx keeps no connection
    /// that has bytes after the end of a response.
    private static let farewell =
        header(FCGI_UNKNOWN_TYPE, requestID: FCGI_NULL_REQUEST_ID, contentLength: 8)
        + [UInt8](repeating: 0, count: 8)

    /// Writes each content after its header, then the remaining headers; the `errno` of a failure,
    /// or 0.
    private static func writeAll(
        _ contents: [UnsafeRawBufferPointer], _ headers: UnsafeMutableRawBufferPointer,
        to descriptor: Int32
    ) -> Int32 {
        var parts: [iovec] = []
        for (index, content) in contents.enumerated() {
            let start = headers.baseAddress?.advanced(by: index * headerLength)
            parts.append(iovec(iov_base: start, iov_len: headerLength))
            parts.append(
                iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: content.baseAddress),
                    iov_len: content.count))
        }
        let rest = headers[(contents.count * headerLength)...]
        if !rest.isEmpty {
            let rest = UnsafeMutableRawBufferPointer(rebasing: rest)
            parts.append(iovec(iov_base: rest.baseAddress, iov_len: rest.count))
        }
        var left = parts.reduce(0) { $0 + $1.iov_len }
        while left > 0 {
            let written = writev(descriptor, &parts, Int32(parts.count))
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
