import Encoding
import HTTP
import MessageReader
import Usage
import UsageStore

/// `POST /usage/estimate`: the credits and receipts of messages, without recording them.
func estimate(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    try request.refuseParameters()
    let body = try MessageBody(request, within: principal.bounds)
    let estimates = try service.store.estimates(body.items.compactMap(\.message))
    var json = JSONWriter()
    if body.isSingle, let item = body.items.first {
        guard let estimate = estimates.first, let credits = estimate.credits else {
            throw Problem(
                .unprocessableContent, "The message cannot be priced.",
                faults: item.faults(estimates.first))
        }
        json.object { $0.members(ofEstimate: credits, estimate.receipt) }
    } else {
        json.object { json in
            json.name("results")
            json.array { json in write(body.items, estimates, to: &json) }
        }
    }
    return .json(json)
}

private func write(
    _ items: [MessageItem], _ estimates: [UsageStore.Estimate], to json: inout JSONWriter
) {
    var rest = estimates[...]
    for (index, item) in items.enumerated() {
        let estimate = item.message == nil ? nil : rest.popFirst()
        json.object { json in
            json.member("index", literal: String(index))
            if let estimate, let credits = estimate.credits {
                json.member("status", "estimated")
                json.members(ofEstimate: credits, estimate.receipt)
            } else {
                json.member("status", "invalid")
                json.errors(item.faults(estimate))
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func members(ofEstimate credits: Credits, _ receipt: Receipt) {
        member("credits_used", literal: credits.description)
        member(receipt)
    }
}

extension MessageItem {
    /// The faults of a message that has no price.
    fileprivate func faults(_ estimate: UsageStore.Estimate?) -> [Problem.Fault] {
        faults.isEmpty ? [(estimate?.refusal ?? .unpriced).fault] : problemFaults
    }
}
