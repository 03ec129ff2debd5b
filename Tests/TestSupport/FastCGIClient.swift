import Foundation

/// A web server's end of one FastCGI connection, byte by byte, for what nginx never does.
public final class FastCGIClient {
    private let descriptor: Int32

    /// Connects to the responder at `path`.
    public init(_ path: String) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(code == 0, "connect \(path): \(String(cString: strerror(errno)))")
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// Sends bytes as they are; the count, or -1.
    @discardableResult
    public func send(_ bytes: [UInt8]) -> Int {
        Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Sends a whole GET request.
    public func get(_ path: String, keepConnection: Bool = true, body: [UInt8] = []) {
        send(Self.request(["REQUEST_METHOD": "GET", "SCRIPT_NAME": path], keepConnection, body))
    }

    /// Ends the connection from this side.
    public func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Reads one response; its standard output, nil if it was aborted.
    public func answer() -> String? {
        var output: [UInt8] = []
        while let (type, content) = record() {
            if type == 6 { output += content }
            if type == 3 { return String(decoding: output, as: UTF8.self) }
        }
        return nil
    }

    /// Reads some bytes, to be in the middle of a response.
    public func readSome() -> Int {
        var buffer = [UInt8](repeating: 0, count: 65536)
        return recv(descriptor, &buffer, buffer.count, 0)
    }

    /// One request in records: begin, parameters, body (FastCGI specification, section 3.3).
    public static func request(
        _ parameters: [String: String], _ keepConnection: Bool, _ body: [UInt8] = []
    ) -> [UInt8] {
        var pairs: [UInt8] = []
        for (name, value) in parameters {
            pairs += length(name.utf8.count) + length(value.utf8.count) + name.utf8 + value.utf8
        }
        return record(1, [0, 1, keepConnection ? 1 : 0, 0, 0, 0, 0, 0]) + record(4, pairs)
            + record(4, []) + (body.isEmpty ? [] : record(5, body)) + record(5, [])
    }

    /// One record of request 1.
    public static func record(_ type: UInt8, _ content: [UInt8]) -> [UInt8] {
        [1, type, 0, 1, UInt8(content.count >> 8), UInt8(content.count & 0xff), 0, 0] + content
    }

    private static func length(_ count: Int) -> [UInt8] {
        if count < 128 { return [UInt8(count)] }
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) | ($0 == 24 ? 0x80 : 0) }
    }

    private func record() -> (type: UInt8, content: [UInt8])? {
        guard let header = read(8), header[0] == 1 else { return nil }
        let length = Int(header[4]) << 8 | Int(header[5])
        guard let content = read(length + Int(header[6])) else { return nil }
        return (header[1], Array(content.prefix(length)))
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let step = bytes.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress?.advanced(by: done), count - done, 0)
            }
            guard step > 0 else { return nil }
            done += step
        }
        return bytes
    }
}
