using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Millrace.Api.DeadLetters;
using Millrace.Api.Dispatch;
using Millrace.Api.Docs;
using Millrace.Api.Errors;
using Millrace.Api.Failures;
using Millrace.Api.Health;
using Millrace.Api.Http;
using Millrace.Api.Inference;
using Millrace.Api.Jobs;
using Millrace.Api.Models;
using Millrace.Api.Queues;
using Millrace.Api.Reconciliation;
using Millrace.Api.Replays;
using Millrace.Hosting.Configuration;
using Millrace.Hosting.Startup;
using static Millrace.Hosting.Configuration.SettingsExtensions;

namespace Millrace.Api;

public static class ApiServiceExtensions
{
    /// <summary>All that answers HTTP. It needs a broker and a store.</summary>
    public static IServiceCollection AddMillraceApi(this IServiceCollection services)
    {
        services.AddApiSettings();
        services.AddOptions<KestrelServerOptions>().Configure(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null; // RequestBody counts, also what is compressed; the server would count a chunked body's framing too
        });
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, ApiJson.Default));
        services.AddApiDocs();

        services.AddSingleton<ModelCatalog>();
        services.AddHostedService<CatalogRefresh>();
        services.AddSingleton<SyncLane>();
        services.AddSingleton<SubmitValidator>();
        services.AddSingleton<JobSubmission>();
        services.AddSingleton<JobWaiters>();
        services.AddSingleton<JobCursors>();
        services.AddSingleton<DrainMeter>();
        services.AddSingleton<Dispatcher>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<Dispatcher>());
        services.AddSingleton<MissingTickets>();
        services.AddHostedService<Reconciler>();
        services.AddSingleton<TicketOutbox>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<TicketOutbox>());
        services.AddHostedService<DeadLetterRecorder>();
        services.AddSingleton<ReplayRunner>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<ReplayRunner>());
        return services;
    }

    public static void MapMillraceApi(this WebApplication app)
    {
        app.Services.GetRequiredService<DrainMeter>(); // it counts from the start, not from the first question
        app.Services.GetRequiredService<SyncLane>(); // the queue for its replies is there before the first request
        app.UseMiddleware<ErrorMiddleware>();
        app.UseMiddleware<BrowserGuard>();
        app.UseRouting();
        app.MapHealth();
        app.MapModels();
        app.MapInference();
        app.MapJobs();
        app.MapQueues();
        app.MapDeadLetters();
        app.MapFailures();
        app.MapReplays();
        app.MapProblems();
        app.MapApiDocs();
    }

    private static void AddApiSettings(this IServiceCollection services)
    {
        services.AddSettings("Http",
            new SettingRule<HttpOptions>("Url", o => ListenAddress.IsValid(o.Url), o => $"'{o.Url}' is not an address like http://127.0.0.1:8080"),
            new SettingRule<HttpOptions>("Url", o => !ListenAddress.IsValid(o.Url) || o.AllowOpen || ListenAddress.IsLoopback(o.Url),
                o => $"{o.Url} can be reached from other machines, and there is no authentication yet; use a loopback address, or set Millrace:Http:AllowOpen to true"),
            Range<HttpOptions, long>("MaxBodyBytes", o => o.MaxBodyBytes, 1 << 10, 512 << 20));
        services.AddSettings("Sync",
            Range<SyncLaneOptions, TimeSpan>("Timeout", o => o.Timeout, TimeSpan.FromMilliseconds(1), InferenceSettings.LongestTimeout),
            Range<SyncLaneOptions, int>("Outstanding", o => o.Outstanding, 0, 1000),
            Range<SyncLaneOptions, TimeSpan>("LongestWait", o => o.LongestWait, TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(10)),
            Range<SyncLaneOptions, int>("PackRequests", o => o.PackRequests, 1, 1024),
            Range<SyncLaneOptions, long>("PackBytes", o => o.PackBytes, 1 << 10, 1 << 30),
            Range<SyncLaneOptions, int>("MaxRequests", o => o.MaxRequests, 1, 1_000_000));
        services.AddSettings("Dispatch",
            Range<DispatchOptions, TimeSpan>("Interval", o => o.Interval, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)));
        services.AddSettings("Reconciler",
            Range<ReconcilerOptions, TimeSpan>("Interval", o => o.Interval, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)),
            Range<ReconcilerOptions, TimeSpan>("RedispatchAfter", o => o.RedispatchAfter, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)),
            Range<ReconcilerOptions, TimeSpan>("KeepJobs", o => o.KeepJobs, TimeSpan.FromMinutes(1), TimeSpan.FromDays(3650)));
    }
}
