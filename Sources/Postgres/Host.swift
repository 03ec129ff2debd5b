import CPostgres
import Glibc

/// One entry of libpq's lists `host`, `hostaddr` and `port`.
struct Host: Equatable {
    /// A name, or the directory of a socket.
    var name: String

    /// Its IP address; empty if libpq looks it up.
    var address: String

    /// The port.
    var port: String

    /// All hosts of an attempt to connect except the address that it is trying now.
    ///
    /// If that is one of several addresses of a name, the others take the place of the name.
    static func others(_ handle: OpaquePointer) -> [Host] {
        let current = Host(handle)
        var hosts = all(handle)
        guard let index = hosts.firstIndex(where: { $0.includes(current) }) else { return [] }
        let host = hosts[index]
        let isName = host.address.isEmpty && !current.address.isEmpty
        let others = isName ? addresses(of: host.name).filter { $0 != current.address } : []
        hosts.replaceSubrange(
            index...index,
            with: others.map { Host(name: host.name, address: $0, port: host.port) })
        return hosts
    }

    private static func all(_ handle: OpaquePointer) -> [Host] {
        let parameters = DatabaseURL.parameters(PQconninfo(handle)) ?? []
        let lists = ["host", "hostaddr", "port"].map { keyword in
            let value = parameters.last { $0.keyword == keyword }?.value ?? ""
            return value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        return (0..<max(lists[0].count, lists[1].count)).map { index in
            // One port applies to all hosts.
            let entry = lists.map { $0.count == 1 ? $0[0] : $0[index] }
            return Host(name: entry[0], address: entry[1], port: entry[2])
        }
    }

    /// Whether the address that libpq is trying is this one, or one of this name.
    private func includes(_ current: Host) -> Bool {
        guard port == current.port || port.isEmpty else { return false }
        let isAddress = address.isEmpty || Self.addresses(of: address).contains(current.address)
        // Without name and address, libpq uses its default socket.
        let isName = name.isEmpty && address.isEmpty == current.address.isEmpty
        return isAddress && (isName || name == current.name)
    }

    private static func addresses(of name: String) -> [String] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &first) == 0 else { return [] }
        defer { freeaddrinfo(first) }
        return sequence(first: first) { $0?.pointee.ai_next }.compactMap { entry in
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            guard let entry = entry?.pointee,
                getnameinfo(
                    entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0,
                    NI_NUMERICHOST) == 0
            else { return nil }
            return text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } }
        }
    }
}

extension Host {
    /// The address that libpq is trying.
    init(_ handle: OpaquePointer) {
        name = String(cString: PQhost(handle))
        address = String(cString: PQhostaddr(handle))
        port = String(cString: PQport(handle))
    }
}
