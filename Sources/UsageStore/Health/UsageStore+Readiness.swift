import Postgres
import Threads
import Tokenizer
import Usage

extension UsageStore {
    /// How far ahead readiness checks the price list, in microseconds: ten minutes.
    private static let readinessPeriod: Int64 = 600_000_000

    /// `healthChecks`, and whether the vocabularies that the price list requires within ten minutes
    /// can be loaded; without this check if the price list only counts characters.
    public func readinessChecks() -> [HealthCheck] {
        let checks = healthChecks()
        guard checks.allSatisfy({ $0.fault == nil }) else { return checks }
        do {
            let needed = try neededTokenizers()
            let faults = TokenEncoding.allCases.filter(needed.contains).compactMap(tokenizerFault)
            guard !needed.isEmpty else { return checks }
            return checks + [faults.first ?? HealthCheck(name: "tokenizer")]
        } catch {
            return [Self.unreachable(error)]
        }
    }

    /// The required tokenizers; without a permit, those of the last check.
    private func neededTokenizers() throws -> Set<TokenEncoding> {
        guard admitHealthCheck() else { return shared.neededTokenizers.withLock { $0 } }
        let now = Timestamp.now
        let end = Timestamp(microseconds: now.microseconds + Self.readinessPeriod)
        let needed = try meter.within(Self.healthTimeout) {
            try TokenCounter(try connected(), shared.tokenizers).encodings(of: now...end)
        }
        shared.neededTokenizers.withLock { $0 = needed }
        return needed
    }

    private func tokenizerFault(_ encoding: TokenEncoding) -> HealthCheck? {
        do {
            try shared.tokenizers.tokenizer(encoding)
            return nil
        } catch {
            return HealthCheck(
                name: "tokenizer",
                fault: "The vocabulary of the tokenizer \(encoding.rawValue) is missing or "
                    + "damaged; the price list requires it.",
                cause: String(describing: error))
        }
    }
}
