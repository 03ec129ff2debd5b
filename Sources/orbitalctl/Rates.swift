import ArgumentParser
import Configuration
import Foundation
import Tokenizer
import Usage
import UsageStore

/// Shows the price list and adds to it.
struct Rates: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the price list and adds entries to it.",
        discussion: "What is recorded keeps its price: entries are never changed or taken away.",
        subcommands: [List.self, Add.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the entries, oldest first.")

        func run() throws {
            try reporting {
                for rate in try administratorsStore().creditRates() {
                    let from = rate.effectiveFrom.map { "from \($0)" } ?? "from the beginning"
                    print(
                        "\(from): \(rate.creditsPer100Tokens) credits for 100 tokens, at least "
                            + "\(rate.minimum), tokens by \(rate.tokenizer); "
                            + "\(rate.recordCount) records")
                }
            }
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds an entry, which applies from an instant in the future on.")

        @Option(help: "A date (midnight UTC) or RFC 3339; later than every entry and record.")
        var effectiveFrom: String
        @Option(name: .customLong("credits-per-100-tokens"), help: "Such as 40 or 38.50.")
        var creditsPer100Tokens: String
        @Option(help: "The least that a message costs.") var minimum = "1.00"
        @Option(
            help: "How tokens are counted: characters (4 are a token), cl100k_base, o200k_base.")
        var tokenizer = "characters"

        func validate() throws {
            guard let from = instant(effectiveFrom) else {
                throw ValidationError("--effective-from must be a date or RFC 3339 with an offset.")
            }
            guard from > .now else {
                throw ValidationError(
                    "--effective-from must be in the future: the past has its prices already.")
            }
            guard price(creditsPer100Tokens) != nil, price(minimum) != nil else {
                throw ValidationError(
                    "Credits are numbers from 0 to 10000000 with at most two decimals.")
            }
            guard tokenizer == "characters" || TokenEncoding(rawValue: tokenizer) != nil else {
                throw ValidationError(
                    "--tokenizer must be characters, cl100k_base or o200k_base.")
            }
        }

        func run() throws {
            try reporting {
                guard let from = instant(effectiveFrom), let credits = price(creditsPer100Tokens),
                    let minimum = price(minimum)
                else { return }
                try readVocabulary()
                do {
                    try administratorsStore().add(
                        CreditRate(
                            effectiveFrom: from, tokenizer: tokenizer,
                            creditsPer100Tokens: credits, minimum: minimum))
                } catch let refusal as CreditRateRefused {
                    throw Failure(message: refusal.reason, status: EX_DATAERR)
                }
            }
        }

        /// Nothing could be recorded at a price whose tokenizer is not here.
        private func readVocabulary() throws {
            guard let encoding = TokenEncoding(rawValue: tokenizer) else { return }
            do {
                try Tokenizers(of: try Settings.load()).tokenizer(encoding)
            } catch let error as TokenizerUnavailable {
                throw Failure(message: error.description, status: EX_NOINPUT)
            }
        }

        private func price(_ text: String) -> Credits? {
            guard let credits = Credits(text), (0...1_000_000_000).contains(credits.hundredths)
            else { return nil }
            return credits
        }
    }
}
