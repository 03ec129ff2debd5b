import Configuration
import FastCGI
import HTTP
import Logging
import UsageAPI
import UsageStore

/// Answers exchanges, one at a time; the only place where an error becomes an answer.
struct Responder {
    private let service: Service
    private let bulkSlot: BulkSlot
    private let log: Logger
    private let router = Router(routes)

    init(
        _ generation: Generation, isDraining: @escaping () -> Bool, bulkSlots: BulkSlots,
        log: Logger
    ) {
        let settings = generation.settings
        let bulkSlot = BulkSlot(of: bulkSlots)
        let store = UsageStore(
            databaseURL: settings.databaseURL, applicationName: "orbital-fcgi",
            waitSeconds: settings.databaseWaitSeconds, group: generation.stores)
        service = Service(
            store: store, cache: generation.cache, spooled: generation.spooled,
            cacheSeconds: settings.cacheSeconds,
            isKeyed: settings.access == "keyed",
            claimBulkSlot: { try bulkSlot.claim() }, isDraining: isDraining
        ) { cause in
            log.error("unhealthy", metadata: ["cause": "\(cause)"])
        }
        self.bulkSlot = bulkSlot
        self.log = log
    }

    /// Answers the request of `exchange`, whatever happens.
    func answer(_ exchange: any Exchange) {
        service.store.watchedDescriptor = exchange.clientDescriptor
        service.store.requestArrival = exchange.arrival
        defer {
            service.store.release()
            bulkSlot.release()
        }
        let request = Request(exchange)
        do {
            try answer(request, over: exchange)
        } catch let problem as Problem {
            send(problem, to: request, over: exchange)
        } catch let error as DatabaseUnavailable {
            log.error("database unavailable", metadata: request.metadata(error))
            let problem = Problem.unavailable(
                "The database cannot be asked.", retryAfterSeconds: 1)
            send(problem, to: request, over: exchange)
        } catch {
            if exchange.isClientGone { return exchange.abort() }
            log.error("request failed", metadata: request.metadata(error))
            send(Problem(.internalServerError, "Internal error."), to: request, over: exchange)
        }
    }

    private func answer(_ request: Request, over exchange: any Exchange) throws {
        guard let action = try router.action(for: request) else {
            return send(try router.options(request.path), to: request, over: exchange)
        }
        try service.authorise(request, action.scope)
        send(try action.answer(request, service), to: request, over: exchange)
    }

    private func send(_ problem: Problem, to request: Request, over exchange: any Exchange) {
        let response = problem.response(
            instance: request.pathPrefix + request.path, requestID: request.requestID)
        send(response, to: request, over: exchange)
    }

    /// Sends the answer; from its first byte on, a failure can only break it off.
    private func send(_ response: Response, to request: Request, over exchange: any Exchange) {
        do {
            let head = response.head
            try exchange.write(head.span)
            guard request.method != Method.head.rawValue else { return }
            switch response.body {
            case .bytes(let bytes): try exchange.write(bytes.span)
            case .stream(let produce):
                let writer = BodyWriter { try exchange.write($0) }
                try produce(writer)
                try writer.flush()
            }
        } catch {
            exchange.abort()
            let level: Logger.Level = exchange.isClientGone ? .debug : .error
            log.log(level: level, "answer broken off", metadata: request.metadata(error))
        }
    }
}

extension Request {
    /// What a log line says of a failed request; never its query, which may hold names.
    fileprivate func metadata(_ error: any Error) -> Logger.Metadata {
        [
            "request_id": "\(requestID)", "method": "\(method)", "path": "\(path)",
            "error": "\(error)",
        ]
    }
}
