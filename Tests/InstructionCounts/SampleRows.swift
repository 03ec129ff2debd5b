import Postgres

/// Rows of the columns that `UsageRows` has, in memory, as libpq hands over those of a binary COPY.
final class SampleRows: RowReader {
    private let row = CopyRow(of: "sample", columns: 4)
    private let messages: [UnsafeRawBufferPointer]
    private var position = 0

    init(_ count: Int) {
        let rows = (0..<count).map(Self.message)
        let header =
            Array("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0] + [UInt8](repeating: 0, count: 8)
        let trailer = Self.bytes(Int16(-1))
        // They live as long as the process: nobody frees them.
        messages = ([header + rows[0]] + rows.dropFirst() + [trailer]).map { message in
            let copy = UnsafeMutableRawBufferPointer.allocate(
                byteCount: message.count, alignment: 16)
            copy.copyBytes(from: message)
            return UnsafeRawBufferPointer(copy)
        }
    }

    /// Goes back to the front.
    func rewind() { position = 0 }

    func next() throws -> Bool {
        defer { position += 1 }
        return row.find(in: messages[position], isFirst: position == 0)
    }

    func integer(_ column: Int) -> Int64 { row.integer(column) }

    func isNull(_ column: Int) -> Bool { row.isNull(column) }

    func byteCount(_ column: Int) -> Int { row.byteCount(column) }

    func withText<Answer>(
        _ column: Int, _ body: (Span<UInt8>?) throws -> Answer
    ) rethrows -> Answer {
        try row.withText(column, body)
    }

    /// A record a minute from 2024 on; the third part has a report name, the fourth a fraction.
    private static func message(_ index: Int) -> [UInt8] {
        let start: Int64 = 757_382_400_000_000
        let time = start + Int64(index) * 60_000_000 + (index % 4 == 0 ? 123_456 : 0)
        let name = index % 3 == 0 ? SampleMessages.reportName(index) : nil
        return bytes(Int16(4)) + field(Int64(index + 1_000_000)) + field(time)
            + (name.map { bytes(Int32($0.utf8.count)) + Array($0.utf8) } ?? bytes(Int32(-1)))
            + field(Int64(100 + index * 7919 % 20_000))
    }

    private static func field(_ number: Int64) -> [UInt8] { bytes(Int32(8)) + bytes(number) }

    private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }
}
