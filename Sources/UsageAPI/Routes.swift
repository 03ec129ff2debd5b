public import HTTP

/// Every path of the API; each is answered in the file named after it.
public let routes: [Route<Service>] = [
    Route("/usage", usage),
    Route("/usage/summary", summary),
    Route("/health", health),
    Route("/health/live", live),
    Route("/health/ready", ready),
]
