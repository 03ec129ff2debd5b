import ArgumentParser
import Configuration
import Tokenizer
import Usage
import UsageStore

/// The prices and other terms of a rate, as options.
struct RateTerms: ParsableArguments {
    @Option(help: "The credits for --per input tokens.") var input: String?
    @Option(help: "The credits for --per output tokens.") var output: String?
    @Option(help: "For input tokens read from a cache. (default: --input)") var cacheRead: String?
    @Option(help: "For input tokens written to a cache. (default: --input)")
    var cacheCreation: String?
    @Option(help: "The number of tokens that these prices are for: 100 or 1000000.")
    var per = 1_000_000
    @Option(
        name: .customLong("credits-per-100-tokens"),
        help: "The price of tokens of every kind, such as 40 or 38.50.")
    var creditsPer100Tokens: String?
    @Option(help: "The minimum credits of a message; 0 for none.") var minimum = "1.00"
    @Option(
        help: """
            How tokens of texts are counted: characters (4 per token), cl100k_base, o200k_base, \
            o200k_harmony.
            """,
        completion: .list(["characters"] + TokenEncoding.allCases.map(\.rawValue)))
    var tokenizer = "characters"

    func validate() throws {
        _ = try prices()
        guard minimumCredits != nil else {
            throw ValidationError(
                "--minimum must be from 0 to 10000000 with at most two decimals.")
        }
        guard tokenizer == "characters" || TokenEncoding(rawValue: tokenizer) != nil else {
            throw ValidationError(
                "--tokenizer must be characters, cl100k_base, o200k_base or o200k_harmony.")
        }
    }

    /// The rate; throws if the vocabulary of its tokenizer is missing, because no text could be priced.
    func rate(from instant: Timestamp?, model: String?) throws -> CreditRate {
        if let encoding = TokenEncoding(rawValue: tokenizer) {
            try Tokenizers(of: try Settings.administrators()).tokenizer(encoding)
        }
        return CreditRate(
            effectiveFrom: instant, model: model, tokenizer: tokenizer, prices: try prices(),
            minimum: minimumCredits ?? Credits(hundredths: 0))
    }

    /// Warns about consequences that are easily overlooked.
    func warn(_ rate: CreditRate) {
        if (1..<500).contains(rate.prices.input.hundredthsPerMillion) {
            note(
                "orbitalctl: 1,000 input tokens cost \(rate.prices.input.credits(ofTokens: 1000)) "
                    + "credits, which is rounded to 0.00; are the prices for --per \(per) tokens?")
        }
        if let model = rate.model, model.dropLast().contains("*") {
            note(
                "orbitalctl: --model \(model): only a * at the end stands for other characters")
        }
        guard tokenizer != "characters" else { return }
        note(
            "orbitalctl: plain SQL cannot count tokens: texts that it inserts are estimates "
                + "(4 characters per token) until you run: orbitalctl recount")
    }

    private var minimumCredits: Credits? {
        Credits(minimum).flatMap { CreditRate.minimumRange.contains($0) ? $0 : nil }
    }

    private func prices() throws -> TokenPrices {
        guard per == 100 || per == 1_000_000 else {
            throw ValidationError("--per must be 100 or 1000000.")
        }
        if let creditsPer100Tokens {
            guard [input, output, cacheRead, cacheCreation].allSatisfy({ $0 == nil }) else {
                throw ValidationError(
                    "--credits-per-100-tokens sets all prices; omit --input, --output, "
                        + "--cache-read and --cache-creation.")
            }
            return TokenPrices(
                all: try price(creditsPer100Tokens, per: 100, "--credits-per-100-tokens"))
        }
        guard let input, let output else {
            throw ValidationError(
                "--input and --output are required, or --credits-per-100-tokens for all prices.")
        }
        return TokenPrices(
            input: try price(input, per: per, "--input"),
            output: try price(output, per: per, "--output"),
            cacheRead: try price(cacheRead ?? input, per: per, "--cache-read"),
            cacheCreation: try price(cacheCreation ?? input, per: per, "--cache-creation"))
    }

    private func price(_ text: String, per tokens: Int, _ option: String) throws -> TokenPrice {
        if let price = TokenPrice(text, per: tokens), TokenPrice.range.contains(price) {
            return price
        }
        let most =
            TokenPrice.range.upperBound.hundredthsPerMillion / (tokens == 100 ? 1_000_000 : 100)
        throw ValidationError(
            "\(option) \(text): the price must be from 0 to \(most) credits for \(tokens) tokens, "
                + "and a whole number of hundredths of a credit per million tokens: at most "
                + "\(tokens == 100 ? "six" : "two") decimals.")
    }
}
