using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Compression of requests and of answers.</summary>
public sealed class ContentCodingTests(ServerFixture fixture)
{
    private const string Good = """{"inputs":[{"name":"IN","datatype":"FP32","shape":[3],"data":[1,2,3]}]}""";
    private static readonly byte[] Body = Encoding.UTF8.GetBytes(Good);

    [Theory]
    [Conformance(23)]
    [InlineData("gzip")]
    [InlineData("GZIP")]
    [InlineData("deflate")]
    [InlineData("identity")]
    public async Task Given_a_coded_request_When_inferred_Then_it_is_read(string coding)
    {
        var answer = await fixture.Client.InferBytesAsync("ident_fp32", Encode(coding), ("Content-Encoding", coding));

        Assert.Equal([1, 2, 3], answer.MustBe(200).Data<float>("OUT"));
    }

    [Theory]
    [Attack(17)]
    [Conformance(23)]
    [InlineData("deflate", "raw")]
    [InlineData("deflate", "gzip")]
    [InlineData("deflate", "identity")]
    [InlineData("gzip", "deflate")]
    [InlineData("gzip", "identity")]
    [InlineData("gzip", "cut")]
    public async Task Given_a_body_that_is_not_in_its_coding_When_inferred_Then_400(string header, string actual) =>
        (await fixture.Client.InferBytesAsync("ident_fp32", Encode(actual), ("Content-Encoding", header))).MustBe(400);

    [Theory]
    [Attack(17)]
    [Conformance(23)]
    [InlineData("br")]
    [InlineData("zstd")]
    [InlineData("compress")]
    [InlineData("gzip, gzip")]
    [InlineData("x")]
    public async Task Given_a_coding_that_is_not_known_When_inferred_Then_415_says_which_are(string coding)
    {
        var answer = (await fixture.Client.InferBytesAsync("ident_fp32", Body, ("Content-Encoding", coding))).MustBe(415, "unsupported_encoding");

        Assert.Equal("gzip, deflate, identity", answer.Header("Accept-Encoding"));
    }

    [Theory]
    [Conformance(24)]
    [InlineData("gzip", "gzip")]
    [InlineData("gzip, deflate", "gzip")]
    [InlineData("deflate", "deflate")]
    [InlineData("gzip;q=0.5, deflate;q=0.9", "deflate")]
    [InlineData("gzip, deflate, br, zstd", "gzip")]
    [InlineData("gzip;q=0, identity", null)]
    [InlineData("gzip;q=0, deflate;q=0", null)]
    [InlineData("gzip;q=0.000", null)]
    [InlineData("identity", null)]
    [InlineData("identity, gzip;q=0.5", null)]
    [InlineData("br", null)]
    [InlineData("zstd, br", null)]
    [InlineData("", null)]
    [InlineData("=;,,", null)]
    public async Task Given_what_a_client_can_decode_When_inferred_Then_the_answer_is_in_the_best_of_it(string accepted, string? coding)
    {
        var ones = Calls.In("FP32", "[1000]", $"[{string.Join(',', Enumerable.Repeat(1, 1000))}]");

        var answer = (await fixture.Client.InferTextAsync("ident_fp32", ones, ("Accept-Encoding", accepted))).MustBe(200);

        Assert.Equal(coding, answer.Header("Content-Encoding"));
        Assert.Equal(1000, JsonNode.Parse(await DecodeAsync(answer))!["outputs"]![0]!["data"]!.AsArray().Count);
    }

    [Fact]
    [Conformance(24)]
    public async Task Given_an_answer_that_fits_one_packet_When_gzip_is_accepted_Then_it_is_plain()
    {
        var answer = (await fixture.Client.InferBytesAsync("ident_fp32", Body, ("Accept-Encoding", "gzip"))).MustBe(200);

        Assert.Null(answer.Header("Content-Encoding"));
        Assert.Contains("[1,2,3]", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    [Conformance(24)]
    public async Task Given_a_long_answer_When_gzip_is_accepted_Then_it_is_shorter_and_has_its_length()
    {
        var zeros = Calls.In("FP32", "[20000]", $"[{string.Join(',', Enumerable.Repeat(0, 20000))}]");

        var answer = (await fixture.Client.InferTextAsync("ident_fp32", zeros, ("Accept-Encoding", "gzip"))).MustBe(200);

        var coded = await answer.Message.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        Assert.InRange(coded.Length, 1, 4000);
        Assert.Equal(coded.Length, answer.Message.Content.Headers.ContentLength);
        Assert.Contains("Accept-Encoding", answer.Header("Vary"), StringComparison.Ordinal);
        Assert.Equal(20000, JsonNode.Parse(await DecodeAsync(answer))!["outputs"]![0]!["data"]!.AsArray().Count);
    }

    [Theory]
    [Conformance(23)]
    [InlineData("GET", "/v2", 200)]
    [InlineData("GET", "/v2/models", 200)]
    [InlineData("GET", "/v2/models/pair", 200)]
    [InlineData("GET", "/v2/models/pair/ready", 200)]
    [InlineData("GET", "/v2/health/ready", 200)]
    [InlineData("POST", "/v2/repository/index", 200)]
    [InlineData("POST", "/v2/models/pair/infer", 400)]
    [InlineData("POST", "/v2/models/nope/infer", 404)]
    [InlineData("GET", "/v2/models/nope", 404)]
    [InlineData("GET", "/v2/nope", 404)]
    [InlineData("DELETE", "/v2/models/pair", 405)]
    [InlineData("POST", "/v2/models/cold/infer", 503)]
    public async Task Given_an_answer_other_than_a_successful_inference_When_gzip_is_accepted_Then_it_is_plain(string method, string path, int status)
    {
        var answer = await fixture.Client.AskAsync(new HttpMethod(method), path, null, ("Accept-Encoding", "gzip, deflate"));

        Assert.Null(answer.MustBe(status).Header("Content-Encoding"));
        Assert.NotNull(answer.Json);
    }

    private static byte[] Encode(string coding)
    {
        var target = new MemoryStream();
        using (Stream stream = coding switch
        {
            "deflate" => new ZLibStream(target, CompressionLevel.Optimal, leaveOpen: true),
            "raw" => new DeflateStream(target, CompressionLevel.Optimal, leaveOpen: true),
            "identity" => new BufferedStream(target),
            _ => new GZipStream(target, CompressionLevel.Optimal, leaveOpen: true),
        })
            stream.Write(Body);
        var coded = target.ToArray();
        return coding == "cut" ? coded[..(coded.Length / 2)] : coded;
    }

    private static async Task<string> DecodeAsync(Answer answer)
    {
        var body = await answer.Message.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        body.Position = 0;
        await using Stream plain = answer.Header("Content-Encoding") switch
        {
            "gzip" => new GZipStream(body, CompressionMode.Decompress),
            "deflate" => new ZLibStream(body, CompressionMode.Decompress),
            _ => body,
        };
        return await new StreamReader(plain).ReadToEndAsync(TestContext.Current.CancellationToken);
    }
}
