import CFastCGI
import Glibc

/// The paths whose requests do not wait behind others.
public struct UrgentPaths: Sendable {
    /// Requests whose path begins so overtake others in the queue, so that a monitor can tell a long
    /// queue from a dead process.
    let urgent: String

    /// Requests of exactly this path, which never wait for anything, have a thread of their own while
    /// all workers are busy.
    let live: String

    /// The paths as they begin in `SCRIPT_NAME`.
    public init(urgent: String, live: String) {
        self.urgent = urgent
        self.live = live
    }

    /// The most bytes of a request that are examined; nginx sends `SCRIPT_NAME` second.
    private static let examinedBytes = 2048

    /// `SCRIPT_NAME` of the request that waits on `connection`; nil if its first bytes have none.
    ///
    /// Reads the pairs one by one: clients can write anything into the values of others.
    static func path(ofRequestOn connection: Int32) -> [UInt8]? {
        let bytes = [UInt8](unsafeUninitializedCapacity: examinedBytes) { buffer, count in
            let flags = Int32(MSG_PEEK | MSG_DONTWAIT)
            count = max(0, recv(connection, buffer.baseAddress, buffer.count, flags))
        }
        let begin = Int(FCGI_HEADER_LEN) + 8
        guard bytes.count > begin + Int(FCGI_HEADER_LEN), bytes[begin + 1] == UInt8(FCGI_PARAMS)
        else { return nil }
        var rest = bytes[(begin + Int(FCGI_HEADER_LEN))...]
        while let nameLength = length(&rest), let valueLength = length(&rest),
            nameLength + valueLength <= rest.count
        {
            let name = rest.prefix(nameLength)
            let value = rest.dropFirst(nameLength).prefix(valueLength)
            if name.elementsEqual("SCRIPT_NAME".utf8) { return Array(value) }
            rest = rest.dropFirst(nameLength + valueLength)
        }
        return nil
    }

    /// Removes a length, of one byte or of four (FastCGI specification, section 3.4).
    private static func length(_ rest: inout ArraySlice<UInt8>) -> Int? {
        guard let first = rest.first else { return nil }
        let count = first < 0x80 ? 1 : 4
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count).reduce(0) { $0 << 8 | Int($1) }
            & (count == 1 ? 0x7f : 0x7fff_ffff)
    }
}
