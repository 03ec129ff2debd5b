import Glibc

/// The address of a Unix socket, unix(7).
struct UnixAddress: Sendable {
    private var address = sockaddr_un()
    private let length: Int

    /// The longest name, with room for the NUL behind a path.
    private static let limit = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    /// The address of a socket file; nil when the path is too long or has a NUL.
    init?(path: String) {
        self.init(Array(path.utf8), length: MemoryLayout<sockaddr_un>.size)
    }

    /// The address of an abstract socket, whose name is exactly these bytes.
    init?(abstractName name: String) {
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 0
        self.init(Array(name.utf8), at: 1, length: offset + 1 + name.utf8.count)
    }

    private init?(_ name: [UInt8], at start: Int = 0, length: Int) {
        guard start + name.count <= Self.limit, !name.contains(0) else { return nil }
        self.length = length
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) {
            $0[start...].copyBytes(from: name)
        }
    }

    /// Calls `body` with the address in the form that system calls take.
    func with<Answer>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Answer) -> Answer {
        withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
        }
    }
}
