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
            case .integer(let place): .array(place.values(self))
            case .timestamp(let place):
                .array(timestamps: place.values(self).map { $0?.postgresMicroseconds })
            case .text(let place, _): .array(place.values(self))
            case .credits(let place): .array(place.values(self).map { $0?.hundredths })
            case .flag(let place): .array(place.values(self).map { $0 ? 1 : nil })
            case .tags(let place): .array(place.values(self))
            }
        }
    }

    /// The parameters of the statement for estimates, without attributions.
    var estimateParameters: [Parameter] {
        let isPlain = isPlain
        let known: [Parameter] = isPlain ? [] : [.array([Int64?]()), .array(bytes: [])]
        return parameters(isPlain: isPlain) + known
    }
}
