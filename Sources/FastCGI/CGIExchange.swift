import Glibc

/// The one exchange of a CGI process: its environment, and standard output.
public final class CGIExchange: Exchange {
    /// Whether `abort` was called: the process must exit with an error.
    public private(set) var isAborted = false

    /// Takes the process's own environment and descriptors, and reads the request body away.
    ///
    /// Servers such as fcgiwrap read no answer before they have written the whole body.
    public init() {
        holdStandardDescriptors()
        // A closed pipe is an error of `write`, not the end of the process without a word.
        signal(SIGPIPE, SIG_IGN)
        discardBody()
    }

    /// A descriptor that the server closed would be given to the next thing that is opened.
    private func holdStandardDescriptors() {
        var descriptor: Int32 = 0
        repeat { descriptor = open("/dev/null", O_RDWR) } while (0...2).contains(descriptor)
        if descriptor > 2 { close(descriptor) }
    }

    private func discardBody() {
        var left = parameter("CONTENT_LENGTH").flatMap { Int($0) } ?? 0
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while left > 0 {
            let count = read(STDIN_FILENO, &buffer, min(left, buffer.count))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            left -= count
        }
    }

    /// The environment variable `name`.
    public func parameter(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    /// Standard output, which hangs up when the web server goes.
    public var clientDescriptor: Int32? { STDOUT_FILENO }

    /// Writes all bytes to standard output.
    public func write(_ bytes: Span<UInt8>) throws(FastCGIError) {
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

    /// Marks the answer as broken; CGI has no other sign than the exit status.
    public func abort() { isAborted = true }
}
