import Configuration
import FastCGI
import HTTP
import Logging

/// Answers the one request of a CGI process; the exit status.
func runCGI(_ settings: Settings) -> Int32 {
    var settings = settings
    // One answer, then the end: there is nobody to remember it for.
    settings.cacheMegabytes = 0
    let options = settings.logOptions
    let output = LogOutput { options }
    // The program must exit even if the web server does not read standard error.
    defer { output.finish(within: .seconds(1)) }
    let exchange = CGIExchange()
    var responder = Responder(
        Generation(settings), server: nil, bulkSlots: BulkSlots(1),
        metrics: ProcessMetrics(droppedLogLines: output.dropped), log: makeLog(output))
    responder.answer(exchange)
    return exchange.isAborted ? 1 : 0
}
