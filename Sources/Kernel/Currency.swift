/// A currency of ISO 4217 that is legal tender somewhere.
public struct Currency: Hashable, Sendable {
    /// The three-letter alphabetic code.
    public let code: String
    /// How many decimal places the minor unit stands for: 2 for EUR, 0 for JPY, 3 for BHD.
    public let decimals: Int

    public init?(_ code: some StringProtocol) {
        let code = String(code)
        guard let decimals = Self.decimals[code] else { return nil }
        self.code = code
        self.decimals = decimals
    }

    public static let all: [String] = decimals.keys.sorted()

    private static let decimals: [String: Int] = {
        let byDecimals: [Int: String] = [
            0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
            2: """
            AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP \
            CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS \
            INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN \
            MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE \
            SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW
            """,
            3: "BHD IQD JOD KWD LYD OMR TND",
        ]
        var table: [String: Int] = [:]
        for (decimals, codes) in byDecimals {
            for code in codes.split(separator: " ") { table[String(code)] = decimals }
        }
        return table
    }()
}

extension Currency: CustomStringConvertible {
    public var description: String { code }
}

extension Currency: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let currency = Currency(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a currency of ISO 4217")
        }
        self = currency
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(code)
    }
}
