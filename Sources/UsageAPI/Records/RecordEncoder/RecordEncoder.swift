package import HTTP
import Usage
package import UsageStore

/// Encodes usage records directly into the output buffer.
///
/// Every byte is part of the contract: the order of the keys, no whitespace, line ends.
package struct RecordEncoder {
    private let plan: RecordPlan
    private let format: RecordFormat
    private let offsets: ZoneOffsets?
    private let writer: BodyWriter
    private var day = DayPrefix()

    /// The number of records appended.
    private(set) var count = 0

    /// The maximum length of an encoded byte: `\u001f`.
    private static let escapeLength = 6

    /// Makes an encoder of records with the standard fields.
    package init(_ format: RecordFormat, writer: BodyWriter) {
        self.init(RecordPlan.standard(format), nil, writer: writer)
    }

    /// Makes an encoder that writes to `writer`, times in the zone of `offsets` or, if nil, in UTC.
    init(_ plan: RecordPlan, _ offsets: ZoneOffsets?, writer: BodyWriter) {
        self.plan = plan
        self.offsets = offsets
        format = plan.format
        self.writer = writer
    }

    /// Appends all records of `rows`, with opening and closing.
    package mutating func append(
        all rows: UsageRows, hasFirst: Bool, nextCursor: String?
    ) throws {
        try writer.append(plan.opening)
        if hasFirst {
            repeat { try append(rows) } while try rows.next()
        }
        try writer.append(format.closing(nextCursor: nextCursor))
    }

    /// Appends the current record of `rows`.
    private mutating func append(_ rows: UsageRows) throws {
        var length = plan.fixedLength
        for column in plan.texts { length += Self.escapeLength * rows.byteCount(column) }
        try writer.makeRoom(length)
        writer.buffer.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            var output = OutputCursor(base + writer.count)
            if format == .json, count > 0 { output.put(",") }
            let start = output.position
            for step in plan.steps { put(step, rows, &output) }
            if plan.mayLackFirst { output.putBrace(at: start) }
            output.put(plan.ending)
            writer.count = output.position - base
            assert(writer.count <= buffer.count, "fixedLength is too short for a record")
        }
        count += 1
    }

    @inline(__always)
    private mutating func put(
        _ step: RecordPlan.Step, _ rows: UsageRows, _ output: inout OutputCursor
    ) {
        if step.isNullable, rows.isNull(step.column) { return output.put(step.absence) }
        switch step.kind {
        case .integer:
            output.put(step.prefix)
            let number = rows.integer(step.column)
            output.put(integer: number)
        case .credits:
            output.put(step.prefix)
            output.put(Credits(hundredths: rows.integer(step.column)))
        case .timestamp:
            output.put(step.prefix)
            let time = rows.timestamp(step.column)
            if let offsets {
                output.put(Array(time.description(in: offsets).utf8))
            } else {
                output.put(time, &day)
            }
            if format != .csv { output.put("\"") }
        case .text:
            rows.withText(step.column) { text in
                guard let text else { return output.put(step.absence) }
                output.put(step.prefix)
                text.withUnsafeBufferPointer { text in
                    if format == .csv {
                        output.put(csvText: text)
                    } else if step.isJSON {
                        output.put(json: text)
                    } else {
                        output.put(jsonText: text)
                        output.put("\"")
                    }
                }
            }
        }
    }
}
