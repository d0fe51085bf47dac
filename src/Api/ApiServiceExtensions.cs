using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Millrace.Api.Access;
using Millrace.Api.Backlog;
using Millrace.Api.Chaos;
using Millrace.Api.DeadLetters;
using Millrace.Api.Dispatch;
using Millrace.Api.Docs;
using Millrace.Api.Errors;
using Millrace.Api.Failures;
using Millrace.Api.Grpc;
using Millrace.Api.Health;
using Millrace.Api.Http;
using Millrace.Api.Inference;
using Millrace.Api.Jobs;
using Millrace.Api.Limits;
using Millrace.Api.Models;
using Millrace.Api.Queues;
using Millrace.Api.Reconciliation;
using Millrace.Api.Replays;
using Millrace.Api.Telemetry;
using Millrace.Api.Traffic;
using Millrace.Hosting.Configuration;
using Millrace.Hosting.Startup;
using Millrace.Hosting.Telemetry;
using static Millrace.Hosting.Configuration.SettingsExtensions;

namespace Millrace.Api;

public static class ApiServiceExtensions
{
    /// <summary>All that answers HTTP. It needs a broker and a store.</summary>
    public static IServiceCollection AddMillraceApi(this IServiceCollection services)
    {
        services.AddApiSettings();
        services.AddOptions<KestrelServerOptions>().Configure<LimitsOptions>((kestrel, limits) => limits.Apply(kestrel));
        services.AddSingleton<IMemoryPoolFactory<byte>, ConnectionBlocks>();
        services.AddOptions<ForwardedHeadersOptions>().Configure<HttpOptions>((forwarded, http) => http.Apply(forwarded));
        services.AddAdmission();
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, ApiJson.Default));
        services.AddApiDocs();
        services.AddSingleton<Refusals>();
        services.AddGrpcApi();

        services.AddSingleton<ModelCatalog>();
        services.AddSingleton<CatalogRefresh>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<CatalogRefresh>());
        services.AddSingleton<ModelWishes>();
        services.AddSingleton<ModelStatistics>();
        services.AddSingleton<TrafficMeter>();
        services.AddSingleton<CanaryGuard>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<CanaryGuard>());
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

    /// <summary>Where clients call: HTTP, and gRPC at an address of its own, since HTTP/2 without TLS can't be told from HTTP/1 there.</summary>
    public static void ListenForClients(this WebApplicationBuilder builder)
    {
        builder.ListenOn<HttpOptions>(o => o.Url, LimitConnections);
        builder.ListenOn<GrpcOptions>(o => o.Url, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            LimitConnections(listen);
        });
    }

    /// <summary>Connections of one address, before a byte of them is read.</summary>
    private static void LimitConnections(ListenOptions listen)
    {
        var connections = listen.ApplicationServices.GetRequiredService<Connections>();
        listen.Use(next => connection => connections.HandleAsync(connection, next));
    }

    /// <summary>Who may call, how often, and how much at once.</summary>
    private static void AddAdmission(this IServiceCollection services)
    {
        services.AddSingleton<KeyDirectory>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<KeyDirectory>());
        services.AddSingleton<OpenServer>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<OpenServer>()); // after the keys were read
        services.AddSingleton<Tokens>();
        services.AddSingleton<ModelAccess>();
        services.AddSingleton<LocalWindows>();
        services.AddSingleton<RateLimiter>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<RateLimiter>());
        services.AddSingleton<RateLimits>();
        services.AddSingleton<InFlight>();
        services.AddSingleton<Connections>();
        services.AddSingleton<AdmissionMetrics>();
        services.AddSingleton<RequestMetrics>();
        services.AddMetrics<QueueMetrics>();
        services.AddApiChecks();
        services.AddSingleton<BacklogMeter>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<BacklogMeter>());
        services.AddSingleton<BacklogGate>();
    }

    public static void MapMillraceApi(this WebApplication app)
    {
        app.Services.GetRequiredService<DrainMeter>(); // it counts from the start, not from the first question
        app.Services.GetRequiredService<SyncLane>(); // the queue for its replies is there before the first request
        app.UseMiddleware<RequestMeasure>();
        app.UseMiddleware<ErrorMiddleware>();
        if (app.Services.GetRequiredService<HttpOptions>().Proxies.Count > 0)
            app.UseForwardedHeaders();
        app.UseMiddleware<BrowserGuard>();
        app.UseRouting();
        app.UseMiddleware<Authentication>();
        app.UseMiddleware<Admittance>();
        app.UseMiddleware<Authorization>();
        app.UseMiddleware<GrpcCalls>();
        app.MapHealth();
        app.MapModels();
        app.MapTraffic();
        app.MapInference();
        app.MapJobs();
        app.MapQueues();
        app.MapDeadLetters();
        app.MapFailures();
        app.MapReplays();
        app.MapKeys();
        app.MapAudit();
        app.MapAdmission();
        app.MapChaos();
        app.MapProblems();
        app.MapApiDocs();
        app.MapGrpc();
    }

    private static void AddApiSettings(this IServiceCollection services)
    {
        services.AddSettings("Http",
            new SettingRule<HttpOptions>("Url", o => ListenAddress.IsValid(o.Url), o => $"'{o.Url}' is not an address like http://127.0.0.1:8080"),
            new SettingRule<HttpOptions>("TrustedProxies", o => HttpOptions.AreNetworks(o.TrustedProxies), o => $"'{o.TrustedProxies}' must be addresses or networks like 10.0.0.0/8, by commas"),
            Range<HttpOptions, long>("MaxBodyBytes", o => o.MaxBodyBytes, 1 << 10, 512 << 20));
        services.AddAdmissionSettings();
        services.AddSettings("Sync",
            Range<SyncLaneOptions, TimeSpan>("Timeout", o => o.Timeout, TimeSpan.FromMilliseconds(1), InferenceSettings.LongestTimeout),
            Range<SyncLaneOptions, int>("Outstanding", o => o.Outstanding, 0, 1000),
            Range<SyncLaneOptions, TimeSpan>("LongestWait", o => o.LongestWait, TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(10)),
            Range<SyncLaneOptions, int>("PackRequests", o => o.PackRequests, 1, 1024),
            Range<SyncLaneOptions, long>("PackBytes", o => o.PackBytes, 1 << 10, 1 << 30),
            Range<SyncLaneOptions, int>("MaxRequests", o => o.MaxRequests, 1, 1_000_000),
            Range<SyncLaneOptions, TimeSpan>("MaxWait", o => o.MaxWait, TimeSpan.Zero, InferenceSettings.LongestTimeout));
        services.AddSettings("Repository",
            Range<RepositoryOptions, TimeSpan>("Timeout", o => o.Timeout, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)),
            Range<RepositoryOptions, TimeSpan>("FindTimeout", o => o.FindTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10)));
        services.AddSettings("Traffic",
            Range<TrafficOptions, TimeSpan>("Window", o => o.Window, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)),
            Range<TrafficOptions, TimeSpan>("LongestP95", o => o.LongestP95, TimeSpan.FromMilliseconds(1), InferenceSettings.LongestTimeout),
            Range<TrafficOptions, double>("MostErrors", o => o.MostErrors, 0, 1),
            Range<TrafficOptions, int>("LeastCalls", o => o.LeastCalls, 1, 1_000_000));
        services.AddSettings("Dispatch",
            Range<DispatchOptions, TimeSpan>("Interval", o => o.Interval, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)));
        services.AddSettings("Reconciler",
            Range<ReconcilerOptions, TimeSpan>("Interval", o => o.Interval, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)),
            Range<ReconcilerOptions, TimeSpan>("RedispatchAfter", o => o.RedispatchAfter, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)),
            Range<ReconcilerOptions, TimeSpan>("KeepJobs", o => o.KeepJobs, TimeSpan.FromMinutes(1), TimeSpan.FromDays(3650)));
    }

    private static void AddAdmissionSettings(this IServiceCollection services)
    {
        services.AddSettings("Access",
            new SettingRule<AccessOptions>("Issuer", o => o.Issuer.Length == 0 || (Uri.TryCreate(o.Issuer, UriKind.Absolute, out var url) && (url.Scheme == "https" || (url.Scheme == "http" && url.IsLoopback))),
                o => $"'{o.Issuer}' is not an address like https://login.example.org/"),
            new SettingRule<AccessOptions>("Audience", o => o.Issuer.Length == 0 || o.Audience.Length > 0, _ => "it is empty; name what tokens must have as aud, or any token of the issuer would do"),
            new SettingRule<AccessOptions>("RolesClaim", o => o.RolesClaim.Length > 0, _ => "it is empty; name a claim"),
            new SettingRule<AccessOptions>("TenantClaim", o => o.TenantClaim.Length > 0, _ => "it is empty; name a claim"),
            Range<AccessOptions, int>("FailuresPerMinute", o => o.FailuresPerMinute, 1, 1_000_000));
        services.AddSettings("RateLimit",
            Range<RateLimitOptions, int>("Requests", o => o.Requests ?? 0, 0, 100_000_000),
            Range<RateLimitOptions, TimeSpan>("Window", o => o.Window, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)),
            new SettingRule<RateLimitOptions>("Window", o => o.Window.Ticks % TimeSpan.TicksPerSecond == 0, o => $"{o.Window} must be whole seconds"),
            Range<RateLimitOptions, int>("TenantRequests", o => o.TenantRequests, 0, 100_000_000),
            new SettingRule<RateLimitOptions>("Tenants", o => o.Tenants.Values.All(v => v is >= 0 and <= 100_000_000), _ => "each must be from 0 to 100000000"),
            new SettingRule<RateLimitOptions>("Models", o => o.Models.Values.All(v => v is >= 0 and <= 100_000_000), _ => "each must be from 0 to 100000000"));
        services.AddSettings("Limits",
            Range<LimitsOptions, int>("MaxRequests", o => o.MaxRequests, 1, 100_000),
            Range<LimitsOptions, int>("MaxWaits", o => o.MaxWaits, 1, 1_000_000),
            Range<LimitsOptions, long>("MaxBodyMemory", o => o.MaxBodyMemory, 1 << 20, 1L << 40),
            Range<LimitsOptions, int>("MaxConnections", o => o.MaxConnections, 1, 1_000_000),
            Range<LimitsOptions, int>("MaxConnectionsPerAddress", o => o.MaxConnectionsPerAddress, 1, 1_000_000),
            Range<LimitsOptions, TimeSpan>("HeaderTimeout", o => o.HeaderTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1)),
            Range<LimitsOptions, TimeSpan>("IdleTimeout", o => o.IdleTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10)),
            Range<LimitsOptions, int>("MinBytesPerSecond", o => o.MinBytesPerSecond, 0, 1 << 20),
            Range<LimitsOptions, int>("MaxHeaderBytes", o => o.MaxHeaderBytes, 4 << 10, 1 << 20),
            Range<LimitsOptions, int>("MaxRequestLineBytes", o => o.MaxRequestLineBytes, 256, 64 << 10),
            Range<LimitsOptions, int>("MaxJsonDepth", o => o.MaxJsonDepth, 8, TensorJsonReader.DeepestNesting),
            Range<LimitsOptions, int>("MaxTensors", o => o.MaxTensors, 1, 10_000),
            Range<LimitsOptions, long>("MaxElements", o => o.MaxElements, 1, Array.MaxLength));
        services.AddSettings("Backlog",
            Range<BacklogOptions, long>("MaxJobs", o => o.MaxJobs, 1, 100_000_000),
            Range<BacklogOptions, long>("MaxTenantJobs", o => o.MaxTenantJobs, 1, 100_000_000),
            Range<BacklogOptions, TimeSpan>("MaxWait", o => o.MaxWait, TimeSpan.Zero, TimeSpan.FromDays(7)),
            new SettingRule<BacklogOptions>("Models", o => o.Models.Values.All(v => v >= TimeSpan.Zero && v <= TimeSpan.FromDays(7)), _ => "each must be from 0 to 7 days"));
    }
}
