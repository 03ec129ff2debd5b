import Glibc

/// The one exchange of a CGI process: its environment, and standard output.
public final class CGIExchange: Exchange {
    /// Whether `abort` was called: the process must exit with an error.
    public private(set) var isAborted = false

    /// About when the process was started.
    public let arrival = ContinuousClock.now

    /// Bytes of the request body that were not read yet.
    private var unreadCount = 0

    /// Takes the process's own environment and descriptors.
    public init() {
        // A closed pipe must be an error of `write`, not the silent end of the process.
        signal(SIGPIPE, SIG_IGN)
        unreadCount = isLengthUnknown ? Self.discardLimit : contentLength
    }

    /// Apache's mod_cgid resets the connection of a program that left bytes of a chunked body.
    private var isLengthUnknown: Bool {
        parameterBytes("CONTENT_LENGTH") == nil && parameterBytes("HTTP_TRANSFER_ENCODING") != nil
    }

    /// The most bytes of a body without a length that are discarded.
    private static let discardLimit = 9 << 20

    /// Reads the request body from standard input.
    public func readBody(upTo limit: Int) throws(FastCGIError) -> [UInt8]? {
        guard unreadCount <= limit else { return nil }
        var body: [UInt8] = []
        body.reserveCapacity(unreadCount + 1)
        readRest { body += $0 }
        guard unreadCount == 0 else { throw FastCGIError("read", EPIPE) }
        return body
    }

    /// Reads up to the end of the body.
    private func readRest(_ take: (ArraySlice<UInt8>) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while unreadCount > 0 {
            let count = read(STDIN_FILENO, &buffer, min(unreadCount, buffer.count))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            unreadCount -= count
            take(buffer[..<count])
        }
    }

    /// The bytes of the environment variable `name`.
    public func parameterBytes(_ name: String) -> [UInt8]? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return Array(UnsafeRawBufferPointer(start: value, count: strlen(value)))
    }

    /// Standard output, which hangs up when the web server disconnects.
    public var clientDescriptor: Int32? { STDOUT_FILENO }

    /// Writes all bytes to standard output, once the whole body was read.
    ///
    /// Servers such as fcgiwrap read no response before they have written the whole body.
    public func write(_ bytes: Span<UInt8>) throws(FastCGIError) {
        readRest { _ in }
        let code = bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = Glibc.write(
                    STDOUT_FILENO, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return errno }
                rest = rest.dropFirst(count)
            }
            return 0
        }
        guard code == 0 else { throw FastCGIError("write", code) }
    }

    /// Marks the response as incomplete; CGI can report that by the exit status only.
    public func abort() { isAborted = true }
}
