import Encoding
import HTTP
import Usage
import UsageStore

/// `GET /usage/{message_id}`: one record with its receipt.
func receipt(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    try request.refuseParameters()
    let text = request.path.dropFirst("/usage/".count)
    guard let messageID = Int64(text), String(messageID) == text else {
        throw Problem(
            .notFound, "message_id must be a 64-bit integer without leading zeros or a plus sign.")
    }
    let query = NormalisedQuery(request.path, principal)
    return try service.revalidated(request, principal, query) { snapshot, _ in
        guard let found = try snapshot.record(messageID) else {
            throw Problem(.notFound, "No message has this message_id.")
        }
        var json = JSONWriter()
        json.object { json in
            json.members(of: found.record)
            json.member(found.receipt)
        }
        return Representation(contentType: "application/json", body: .bytes(json.bytes))
    }
}

extension JSONWriter {
    /// Writes the member `receipt`.
    mutating func member(_ receipt: Receipt) {
        name("receipt")
        object { json in
            json.member("characters", literal: String(receipt.characters))
            json.member("tokens", literal: receipt.tokens.description)
            guard let rate = receipt.rate else {
                json.member("priced_by", "writer")
                return
            }
            json.member("tokenizer", receipt.isEstimated ? "characters" : rate.tokenizer)
            json.member("credits_per_100_tokens", literal: rate.creditsPer100Tokens.description)
            json.member("calculated", literal: rate.calculated.description)
            json.member("minimum", literal: rate.minimum.description)
            json.member(
                "minimum_applied", literal: rate.calculated < rate.minimum ? "true" : "false")
            if let from = rate.effectiveFrom {
                json.member("rate_effective_from", from.description)
            } else {
                json.member("rate_effective_from", literal: "null")
            }
            if receipt.isEstimated { json.member("estimated", literal: "true") }
        }
    }

    /// Writes the member `errors`.
    mutating func errors(_ faults: [Problem.Fault]) {
        name("errors")
        array { json in faults.forEach { $0.write(to: &json) } }
    }
}
