import CFastCGI
import Glibc

/// What the first bytes of a request tell that waits on a connection.
struct WaitingRequest {
    /// `SCRIPT_NAME`; nil if the bytes have none.
    private(set) var scriptName: [UInt8]?

    /// Whether `PATH_INFO` has a value, which then is the path.
    private(set) var hasPathInfo = false

    /// Whether all of the request has arrived, and it has no body.
    private(set) var isWhole = false

    /// The most bytes that are examined; nginx sends `SCRIPT_NAME` second.
    private static let examinedBytes = 4096

    private static let headerLength = Int(FCGI_HEADER_LEN)

    /// Examines the bytes that wait on `connection`, and leaves them there; nil if they lack `text`.
    init?(on connection: Int32, with text: String) {
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.examinedBytes) { buffer, count in
            let flags = Int32(MSG_PEEK | MSG_DONTWAIT)
            count = max(0, recv(connection, buffer.baseAddress, buffer.count, flags))
        }
        let mark = Array(text.utf8)
        guard memmem(bytes, bytes.count, mark, mark.count) != nil else { return nil }
        var records = bytes[...]
        var parameters: [UInt8] = []
        while records.count >= Self.headerLength {
            let header = Array(records.prefix(Self.headerLength))
            let length = Int(header[4]) << 8 | Int(header[5])
            let isComplete = records.count >= Self.headerLength + length + Int(header[6])
            records = records.dropFirst(Self.headerLength)
            if header[1] == UInt8(FCGI_STDIN) {
                isWhole = length == 0 && isComplete
                break
            }
            if header[1] == UInt8(FCGI_PARAMS) { parameters += records.prefix(length) }
            records = records.dropFirst(length + Int(header[6]))
        }
        read(parameters)
    }

    /// Reads the pairs one by one: clients can write anything into the values of others.
    private mutating func read(_ parameters: [UInt8]) {
        var rest = parameters[...]
        while let nameLength = Self.length(&rest), let valueLength = Self.length(&rest),
            nameLength + valueLength <= rest.count
        {
            let name = rest.prefix(nameLength)
            let value = rest.dropFirst(nameLength).prefix(valueLength)
            if scriptName == nil, name.elementsEqual("SCRIPT_NAME".utf8) {
                scriptName = Array(value)
            }
            if name.elementsEqual("PATH_INFO".utf8), !value.isEmpty { hasPathInfo = true }
            rest = rest.dropFirst(nameLength + valueLength)
        }
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

extension UrgentPaths {
    /// Whether a request does not wait behind others.
    func areUrgent(_ request: WaitingRequest) -> Bool {
        request.scriptName?.starts(with: urgent.utf8) ?? false
    }

    /// Whether a request has a thread of its own.
    func areLive(_ request: WaitingRequest) -> Bool {
        request.isWhole && !request.hasPathInfo
            && request.scriptName?.elementsEqual(live.utf8) ?? false
    }
}
