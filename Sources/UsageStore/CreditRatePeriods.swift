/// The price list with the end of each entry's time, as `until`: for joins with many records at
/// once, where calling credit_rate_at() for each would take long.
let creditRatePeriods = """
    (SELECT *, lead(effective_from, 1, 'infinity') OVER (ORDER BY effective_from) AS until
     FROM credit_rate)
    """
