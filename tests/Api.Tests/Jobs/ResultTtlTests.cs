using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Standalone;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Jobs;

/// <summary>A result's time over: the least that can be asked for is a minute, so the clock is moved.</summary>
public sealed class ResultTtlTests
{
    [Fact]
    [Conformance(53, 69)]
    public async Task Given_a_result_kept_for_a_minute_When_it_has_passed_Then_410_and_the_job_can_still_be_read()
    {
        using var data = new TemporaryFolder();
        var clock = new MovedClock();
        await using var app = StandaloneApp.Build(
            ["--environment=Testing", "--Millrace:Http:Url=http://127.0.0.1:0", "--Millrace:Grpc:Url=", $"--Millrace:Store:Path={data.Path}",
                $"--Millrace:Models:Path={Repository.TestModels}", "--Millrace:Reconciler:Interval=00:00:00.100", "--Logging:LogLevel:Default=Error"],
            builder => builder.Services.AddSingleton<TimeProvider>(clock));
        await app.StartAsync(TestContext.Current.CancellationToken);
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        using var client = new HttpClient { BaseAddress = new Uri(address) };
        var id = await client.SubmitAsync("ident_fp32", JobCalls.Fast, m => m["result_ttl"] = 60);
        await client.EndAsync(id);
        (await client.FetchAsync($"/v1/jobs/{id}/result")).MustBe(200);

        clock.Ahead = TimeSpan.FromSeconds(61);

        (await client.FetchAsync($"/v1/jobs/{id}/result")).MustBe(410, "result_expired");
        Assert.Equal("succeeded", await client.StateAsync(id));
        (await client.PostAsync($"/v1/jobs/{id}/replay", "")).MustBe(410, "input_expired");
        await app.StopAsync(TestContext.Current.CancellationToken);
    }

    private sealed class MovedClock : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Ahead;
    }
}
