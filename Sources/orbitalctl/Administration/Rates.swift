import ArgumentParser
import Configuration
import Foundation
import Tokenizer
import Usage
import UsageStore

/// Lists and adds rates.
struct Rates: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists and adds rates.",
        discussion: "Once a message is recorded, rates can be added, but not changed or removed.",
        subcommands: [List.self, Add.self, First.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the rates, oldest first.")

        func run() throws {
            try reporting {
                for rate in try administratorsStore().creditRates() {
                    print("\(rate); \(counted(Int(rate.recordCount), "record"))")
                }
            }
        }
    }

    /// The terms of a rate, except for its start.
    struct Terms: ParsableArguments {
        @Option(name: .customLong("credits-per-100-tokens"), help: "Such as 40 or 38.50.")
        var creditsPer100Tokens: String
        @Option(help: "The minimum for a message.") var minimum = "1.00"
        @Option(
            help: "How tokens are counted: characters (4 per token), cl100k_base, o200k_base.")
        var tokenizer = "characters"

        func validate() throws {
            guard price(creditsPer100Tokens) != nil, price(minimum) != nil else {
                throw ValidationError(
                    "Credits must be from 0 to 10000000 with at most two decimals.")
            }
            guard tokenizer == "characters" || TokenEncoding(rawValue: tokenizer) != nil else {
                throw ValidationError(
                    "--tokenizer must be characters, cl100k_base or o200k_base.")
            }
        }

        /// The rate; throws if the vocabulary of its tokenizer is missing, because no message could
        /// be priced.
        func rate(from instant: Timestamp?) throws -> CreditRate {
            if let encoding = TokenEncoding(rawValue: tokenizer) {
                try Tokenizers(of: try Settings.administrators()).tokenizer(encoding)
            }
            return CreditRate(
                effectiveFrom: instant, tokenizer: tokenizer,
                creditsPer100Tokens: price(creditsPer100Tokens) ?? Credits(hundredths: 0),
                minimum: price(minimum) ?? Credits(hundredths: 0))
        }

        /// Warns about the consequences for programs that record with plain SQL.
        func warn() {
            guard tokenizer != "characters" else { return }
            note(
                "orbitalctl: plain SQL cannot count tokens: records that it inserts are estimates "
                    + "(4 characters per token) until you run: orbitalctl recount")
        }

        private func price(_ text: String) -> Credits? {
            Credits(text).flatMap { CreditRate.creditsRange.contains($0) ? $0 : nil }
        }
    }

    struct First: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replaces the first rate; possible only before the first record.")

        @OptionGroup var terms: Terms

        func run() throws {
            try reporting {
                let rate = try terms.rate(from: nil)
                try refusing { try administratorsStore().replaceFirstRate(rate) }
                terms.warn()
            }
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds a rate that begins in the future.",
            discussion: """
                Records that are dated more than five minutes ahead keep their credits, even if \
                the rate begins before them; the command lists them.
                """)

        @Option(
            help: """
                A date (midnight UTC) or RFC 3339 time, later than the start of every rate and \
                than every record.
                """)
        var effectiveFrom: String
        @OptionGroup var terms: Terms

        func validate() throws {
            guard let from = instant(effectiveFrom) else {
                throw ValidationError(
                    "--effective-from must be a date, or an RFC 3339 time with an offset.")
            }
            guard from > .now else {
                throw ValidationError(
                    "--effective-from must be in the future: past prices cannot change.")
            }
        }

        func run() throws {
            try reporting {
                guard let from = instant(effectiveFrom) else { return }
                let rate = try terms.rate(from: from)
                let store = try administratorsStore()
                try refusing { try store.add(rate) }
                terms.warn()
                let ahead = try store.recordsAhead(from: from)
                guard ahead.count > 0 else { return }
                let ids = ahead.ids.map(String.init).joined(separator: ", ")
                let verb = ahead.count == 1 ? "keeps its" : "keep their"
                print(
                    "\(counted(Int(ahead.count), "record")) dated more than five minutes ahead "
                        + "\(verb) credits: message_id \(ids)\(ahead.count > 5 ? ", …" : "")")
            }
        }
    }
}

/// Runs `body`; turns `CreditRateRefused` into a failure of the command.
func refusing<Result>(_ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let refusal as CreditRateRefused {
        throw Failure(message: refusal.reason, status: EX_DATAERR)
    }
}
