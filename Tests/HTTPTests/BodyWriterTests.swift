import HTTP
import Testing

@Suite struct `A body writer` {
    private final class Sent {
        var pieces: [[UInt8]] = []
    }

    @Test func `sends nothing before its buffer is full, and all of it at the end`() throws {
        let sent = Sent()
        let writer = BodyWriter { bytes in sent.pieces.append(bytes.indices.map { bytes[$0] }) }
        let row = [UInt8](repeating: 7, count: 1000)
        for _ in 0..<65 { try writer.append(row) }
        #expect(sent.pieces.isEmpty)
        try writer.append(row)
        #expect(sent.pieces.map(\.count) == [65_535])
        try writer.flush()
        try writer.flush()
        #expect(sent.pieces.map(\.count) == [65_535, 465])
    }

    @Test func `passes on what the sender throws`() {
        struct Gone: Error {}
        let writer = BodyWriter { _ in throw Gone() }
        #expect(throws: Gone.self) {
            try writer.append([1])
            try writer.flush()
        }
    }
}
