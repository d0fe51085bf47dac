using System.IO.Compression;
using System.Text;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>The largest body, to the byte, however it is sent.</summary>
public sealed class BodyLimitTests(ServerFixture fixture)
{
    private const int Limit = 4096;
    private const string Good = """{"inputs":[{"name":"IN","datatype":"FP32","shape":[1],"data":[1]}]}""";

    [Fact]
    [Attack(12)]
    [Conformance(25)]
    public async Task Given_a_body_at_the_limit_When_one_byte_is_added_Then_413_with_and_without_a_length()
    {
        await using var server = await StartAsync();
        foreach (var headers in Framings)
        {
            (await server.Client.InferBytesAsync("ident_fp32", Padded(Limit), headers)).MustBe(200);
            (await server.Client.InferBytesAsync("ident_fp32", Padded(Limit + 1), headers)).MustBe(413, "payload_too_large");
            (await server.Client.InferBytesAsync("ident_fp32", Padded(100 * Limit), headers)).MustBe(413, "payload_too_large");
        }
    }

    [Fact]
    [Conformance(25)]
    public async Task Given_other_routes_When_the_body_is_too_large_Then_413_in_the_shape_of_their_family()
    {
        await using var server = await StartAsync();
        foreach (var path in (string[])["/v2/repository/index", "/v1/jobs"])
        {
            foreach (var headers in Framings)
            {
                var body = new ByteArrayContent(Padded(Limit + 1));
                (await server.Client.AskAsync(HttpMethod.Post, path, body, headers)).MustBe(413, "payload_too_large");
            }
        }
    }

    [Fact]
    [Attack(17)]
    [Conformance(24, 25)]
    public async Task Given_a_coded_body_When_it_is_too_large_only_after_decoding_Then_413()
    {
        await using var server = await StartAsync();

        (await server.Client.InferBytesAsync("ident_fp32", Gzip(Padded(Limit)), ("Content-Encoding", "gzip"))).MustBe(200);
        (await server.Client.InferBytesAsync("ident_fp32", Gzip(Padded(Limit + 1)), ("Content-Encoding", "gzip"))).MustBe(413, "payload_too_large");
    }

    [Fact]
    [Attack(17)]
    [Conformance(24)]
    public async Task Given_a_small_body_that_inflates_to_a_gigabyte_When_sent_Then_413_and_memory_stays_flat()
    {
        var sixteen = Gzip(Padded(16 << 20));
        var bomb = Enumerable.Repeat(sixteen, 64).SelectMany(b => b).ToArray(); // members of a gzip stream may follow each other
        await using var server = await StartAsync();
        var before = GC.GetTotalAllocatedBytes();

        (await server.Client.InferBytesAsync("ident_fp32", bomb, ("Content-Encoding", "gzip"))).MustBe(413, "payload_too_large");

        Assert.True(GC.GetTotalAllocatedBytes() - before < 512L << 20, "Half a gigabyte was allocated.");
    }

    [Fact]
    [Conformance(25)]
    public async Task Given_default_settings_When_a_body_is_larger_than_Kestrel_takes_by_default_Then_200()
    {
        (await fixture.Client.InferBytesAsync("ident_fp32", Padded(31_000_000))).MustBe(200);
    }

    private static readonly (string, string)[][] Framings = [[], [("Transfer-Encoding", "chunked")]];

    private static Task<MillraceServer> StartAsync() => MillraceServer.StartAsync(Repository.TestModels, $"Millrace:Http:MaxBodyBytes={Limit}");

    private static byte[] Padded(int length)
    {
        var body = new byte[length];
        body.AsSpan().Fill((byte)' ');
        Encoding.ASCII.GetBytes(Good, body);
        return body;
    }

    private static byte[] Gzip(byte[] body)
    {
        var target = new MemoryStream();
        using (var stream = new GZipStream(target, CompressionLevel.Optimal))
            stream.Write(body);
        return target.ToArray();
    }
}
