package import Postgres
import Usage

extension UsageRecord {
    /// Whether it belongs to anybody or anything.
    var hasAttribution: Bool {
        !isPlain && attribution != UsageRecord.Attribution()
    }

    /// The parameters of the statement for one message.
    func parameters(isPlain: Bool) -> [Parameter] {
        RecordingStatements.columns(isPlain: isPlain).map {
            value(in: $0).map { .text($0) } ?? .null
        }
    }
}

extension [UsageRecord] {
    /// The parameters of the statements for many messages: arrays.
    package var parameters: [Parameter] { parameters(isPlain: isPlain) }

    /// Whether all are plain.
    var isPlain: Bool { allSatisfy(\.isPlain) }

    func parameters(isPlain: Bool) -> [Parameter] {
        RecordingStatements.columns(isPlain: isPlain).map { column in
            switch column.kind {
            // Its length is the number of rows.
            case .integer(let place) where column == .messageID: .array(place.values(self))
            case .integer(let place): unlessAbsent(place.values(self)) { .array($0) }
            case .timestamp(let place):
                unlessAbsent(place.values(self)) { times in
                    .array(timestamps: times.map { $0?.postgresMicroseconds })
                }
            case .text(let place, _): unlessAbsent(place.values(self)) { .array($0) }
            case .credits(let place): .array(place.values(self).map { $0?.hundredths })
            case .flag(let place): .array(place.values(self).map { $0 ? 1 : nil })
            case .tags(let place): .array(place.values(self))
            }
        }
    }

    /// An array; NULL if no message has a value, which spares PostgreSQL half of the arrays of most
    /// batches: `unnest` fills them up.
    private func unlessAbsent<Value>(
        _ values: [Value?], _ array: ([Value?]) -> Parameter
    ) -> Parameter {
        values.contains { $0 != nil } ? array(values) : .null
    }

    /// The parameters of the statement for estimates, without attributions.
    var estimateParameters: [Parameter] {
        let isPlain = isPlain
        if isPlain { return parameters(isPlain: true) }
        return parameters(isPlain: false) + [
            .array([Int64?]()), .array(bytes: []), .array(map(\.attribution.model)),
        ]
    }
}
