using System.Diagnostics;
using System.Text;
using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Security;

/// <summary>Requests that are forged below HTTP, slow, or without end: each is refused or cut, and the server goes on.</summary>
public sealed class ConnectionTests
{
    private const string Infer = "POST /v2/models/ident_fp32/infer HTTP/1.1\r\nHost: 127.0.0.1\r\n";

    [Theory]
    [Attack(12)]
    [InlineData("Content-Length: -1\r\n\r\n", 400)]
    [InlineData("Content-Length: 1e9\r\n\r\n", 400)]
    [InlineData("Content-Length: 67108865\r\n\r\n", 413)]
    [InlineData("Content-Length: 99999999999999999999\r\n\r\n", 400)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400)]
    public async Task Given_a_length_that_can_not_be_When_sent_Then_it_is_refused_before_the_body_is_read(string rest, int status)
    {
        await using var server = await MillraceServer.StartAsync();
        using var connection = await RawConnection.OpenAsync(server);
        Assert.True(await connection.TrySendAsync(Infer + rest));
        Assert.Equal(status, await connection.StatusAsync());
        (await server.Client.PostAsync("/v2/models/ident_fp32/infer", JobCalls.Fast)).MustBe(200);
    }

    [Fact]
    [Attack(12, 19)]
    public async Task Given_a_gigabyte_that_is_announced_and_does_not_come_When_it_stalls_Then_it_is_cut_and_no_memory_was_kept_for_it()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Http:MaxBodyBytes=536870912", "Millrace:Limits:MinBytesPerSecond=1000");
        using var connection = await RawConnection.OpenAsync(server);
        Assert.True(await connection.TrySendAsync(Infer + "Content-Length: 500000000\r\n\r\n0123456789"));
        await Waiting.UntilAsync(async () => await BodyBytesAsync(server) > 0, "it is being read");
        Assert.InRange(await BodyBytesAsync(server), 1, 2 << 20);
        Assert.True((await connection.ReadAsync(60)).Closed); // by the data rate, after 5 s of grace
        await Waiting.UntilAsync(async () => await BodyBytesAsync(server) == 0, "it is given back");
    }

    [Fact]
    [Attack(18)]
    public async Task Given_too_many_or_too_large_headers_or_too_long_a_line_When_sent_Then_431_and_414()
    {
        await using var server = await MillraceServer.StartAsync();
        Assert.Equal(431, await StatusAsync(server, $"GET /v2 HTTP/1.1\r\nHost: 127.0.0.1\r\n{string.Concat(Enumerable.Range(0, 1000).Select(i => $"X-{i}: y\r\n"))}\r\n"));
        Assert.Equal(431, await StatusAsync(server, $"GET /v2 HTTP/1.1\r\nHost: 127.0.0.1\r\nX: {new string('y', 64 << 10)}\r\n\r\n"));
        Assert.Equal(414, await StatusAsync(server, $"GET /v2/{new string('y', 9 << 10)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
        (await server.Client.FetchAsync("/v2")).MustBe(200);
    }

    [Fact]
    [Attack(18)]
    public async Task Given_a_body_in_chunks_of_one_byte_When_sent_Then_it_is_read_or_refused_and_costs_seconds_at_most()
    {
        await using var server = await MillraceServer.StartAsync();
        using var connection = await RawConnection.OpenAsync(server);
        var before = Process.GetCurrentProcess().TotalProcessorTime;
        Assert.True(await connection.TrySendAsync(Infer + "Transfer-Encoding: chunked\r\n\r\n"));
        var chunks = new StringBuilder();
        for (var at = 0; at < 10_000; at++)
            chunks.Append("1\r\n \r\n");
        for (var at = 0; at < 100; at++)
            Assert.True(await connection.TrySendAsync(chunks.ToString())); // a million
        Assert.True(await connection.TrySendAsync("0\r\n\r\n"));
        Assert.Equal(400, await connection.StatusAsync());
        Assert.True(Process.GetCurrentProcess().TotalProcessorTime - before < TimeSpan.FromSeconds(50));
    }

    [Fact]
    [Attack(19)]
    public async Task Given_heads_that_come_a_byte_at_a_time_When_the_time_out_passes_Then_they_are_cut_and_others_are_served()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Limits:HeaderTimeout=00:00:02");
        var slow = new List<RawConnection>();
        for (var at = 0; at < 100; at++)
        {
            slow.Add(await RawConnection.OpenAsync(server));
            Assert.True(await slow[^1].TrySendAsync("GET /v2 HTTP/1.1\r\nHost: 127"));
        }
        (await server.Client.PostAsync("/v2/models/ident_fp32/infer", JobCalls.Fast)).MustBe(200);
        var ends = await Task.WhenAll(slow.Select(c => c.ReadAsync()));
        Assert.All(ends, end => Assert.True(end.Closed));
        slow.ForEach(c => c.Dispose());
    }

    [Fact]
    [Attack(19)]
    public async Task Given_as_many_connections_as_there_may_be_When_another_is_opened_Then_it_is_closed_and_the_others_go_on()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, "Millrace:Limits:MaxConnections=5");
        (await server.Client.FetchAsync("/v2")).MustBe(200); // one of the five, and kept
        var open = new List<RawConnection>();
        for (var at = 0; at < 4; at++)
        {
            open.Add(await RawConnection.OpenAsync(server));
            Assert.True(await open[^1].TrySendAsync("GET /v2 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
            Assert.Equal(200, await open[^1].StatusAsync());
        }
        using var more = await RawConnection.OpenAsync(server);
        await more.TrySendAsync("GET /v2 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        Assert.Equal(("", true), await more.ReadAsync());
        (await server.Client.FetchAsync("/v2")).MustBe(200);
        open.ForEach(c => c.Dispose());
    }

    private static async Task<int> StatusAsync(MillraceServer server, string request)
    {
        using var connection = await RawConnection.OpenAsync(server);
        await connection.TrySendAsync(request);
        return await connection.StatusAsync();
    }

    private static async Task<long> BodyBytesAsync(MillraceServer server) => (long)(await server.Client.FetchAsync("/v1/admission")).MustBe(200).Json["body_bytes"]!["in_use"]!;
}
