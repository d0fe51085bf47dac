using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Millrace.Tests.Support.Kubernetes;

/// <summary>Objects in memory behind the HTTP of a Kubernetes API server: get, create and patch by name, the scale subresource, resourceVersion and 409, bearer token and Role.</summary>
/// <remarks>
/// As in the real one: a merge patch replaces lists, a strategic one joins containers and env by name, and custom resources take only the former; a patch that changes nothing
/// changes no version; a changed spec raises the generation; a resourceVersion in a patch must be the present one. Controllers are whoever listens to <see cref="Changed"/>.
/// </remarks>
public sealed class ApiServer : IAsyncDisposable
{
    /// <summary>What a client must send; it may change at any time.</summary>
    public string Token { get; set; } = "token of the service account";

    private static readonly HashSet<string> StrategicGroups = ["", "apps", "autoscaling"];
    private readonly Lock _gate = new();
    private readonly Dictionary<string, JsonObject> _objects = [];
    private readonly ConcurrentQueue<Call> _calls = new();
    private readonly IReadOnlyList<Grant> _role;
    private readonly X509Certificate2? _certificate;
    private WebApplication? _app;
    private long _version = 100;

    private ApiServer(IReadOnlyList<Grant> role, X509Certificate2? certificate) => (_role, _certificate) = (role, certificate);

    /// <summary>Also while it is away.</summary>
    public string Url { get; private set; } = "";

    /// <summary>Every call that was let in and every one that was refused, in order.</summary>
    public IReadOnlyList<Call> Calls => [.. _calls];

    /// <summary>After each write, with the object's path.</summary>
    public event Action<string>? Changed;

    /// <summary>Looks at every write; what it returns is done to the call.</summary>
    public Func<Call, Harm> Harming { get; set; } = static _ => Harm.None;

    /// <param name="certificate">Serves HTTPS with it; without one, HTTP.</param>
    public static async Task<ApiServer> StartAsync(IReadOnlyList<Grant> role, X509Certificate2? certificate = null)
    {
        var server = new ApiServer(role, certificate);
        await server.ComeBackAsync();
        return server;
    }

    /// <summary>From now on nobody listens at its address.</summary>
    public async Task GoAwayAsync()
    {
        if (_app is { } app)
        {
            _app = null;
            using var now = new CancellationTokenSource(TimeSpan.Zero);
            await app.StopAsync(now.Token);
            await app.DisposeAsync();
        }
    }

    public async Task ComeBackAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, Url.Length == 0 ? 0 : new Uri(Url).Port, listen =>
        {
            if (_certificate is not null)
                listen.UseHttps(_certificate);
        }));
        builder.WebHost.UseKestrelHttpsConfiguration();
        _app = builder.Build();
        _app.Run(AnswerAsync);
        await _app.StartAsync();
        Url = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
    }

    /// <summary>A copy; null when there is none.</summary>
    public JsonObject? Find(string path)
    {
        lock (_gate)
            return _objects.GetValueOrDefault(path)?.DeepClone().AsObject();
    }

    public JsonObject Read(string path) => Find(path) ?? throw new InvalidOperationException($"There is no {path}.");

    public IReadOnlyList<JsonObject> ReadAll(string below)
    {
        lock (_gate)
            return [.. _objects.Where(o => o.Key.StartsWith(below + "/", StringComparison.Ordinal)).Select(o => o.Value.DeepClone().AsObject())];
    }

    /// <summary>By who set the cluster up, so without a Role.</summary>
    public void Put(string path, JsonObject content)
    {
        lock (_gate)
        {
            content["metadata"] ??= new JsonObject();
            content["metadata"]!["name"] = path[(path.LastIndexOf('/') + 1)..];
            Store(path, content, before: null);
        }
        Changed?.Invoke(path);
    }

    /// <summary>By a controller, so without a Role.</summary>
    public void Change(string path, JsonObject patch)
    {
        lock (_gate)
        {
            var before = _objects[path];
            Store(path, MergePatch.Apply(before, patch), before);
        }
        Changed?.Invoke(path);
    }

    public ValueTask DisposeAsync() => new(GoAwayAsync());

    private async Task AnswerAsync(HttpContext context)
    {
        var body = await new StreamReader(context.Request.Body).ReadToEndAsync();
        var call = Call.From(context.Request, body);
        _calls.Enqueue(call);
        if (context.Request.Headers.Authorization != $"Bearer {Token}")
        {
            await RefuseAsync(context, 401, "Unauthorized", "Unauthorized");
            return;
        }
        if (!_role.Any(grant => grant.Covers(call)))
        {
            await RefuseAsync(context, 403, "Forbidden", $"{call.Resource} \"{call.Name}\" is forbidden: User cannot {call.Verb} resource \"{call.Resource}\" in API group \"{call.Group}\"");
            return;
        }
        var harm = call.Verb == "get" ? Harm.None : Harming(call);
        if (harm == Harm.BeforeIt)
        {
            context.Abort();
            return;
        }
        if (harm == Harm.Unavailable)
        {
            await RefuseAsync(context, 503, "ServiceUnavailable", "etcd is away");
            return;
        }
        var (status, answer) = Carry(call, body);
        if (harm == Harm.AfterIt)
        {
            context.Abort();
            return;
        }
        if (status is 200 or 201)
            await WriteAsync(context, status, answer!);
        else
            await RefuseAsync(context, status, "Failure", $"{call.Verb} {call.Path}: {status}");
    }

    private (int Status, JsonObject? Answer) Carry(Call call, string body)
    {
        var (result, changed) = CarryLocked(call, body);
        if (changed)
            Changed?.Invoke(call.ObjectPath);
        return result;
    }

    private ((int Status, JsonObject? Answer) Result, bool Changed) CarryLocked(Call call, string body)
    {
        lock (_gate)
        {
            if (call.Verb == "create")
            {
                var made = JsonNode.Parse(body)!.AsObject();
                var path = $"{call.Path}/{(string)made["metadata"]!["name"]!}";
                if (_objects.ContainsKey(path))
                    return ((409, null), false);
                Store(path, made, before: null);
                return ((201, made), true);
            }
            if (!_objects.TryGetValue(call.ObjectPath, out var before))
                return ((404, null), false);
            if (call.Verb == "get")
                return ((200, call.IsScale ? Scale(before) : before.DeepClone().AsObject()), false);
            if (call.Verb != "patch")
                return ((405, null), false);
            var patch = JsonNode.Parse(body)!.AsObject();
            if ((string?)patch["metadata"]?["resourceVersion"] is { } expected && expected != (string?)before["metadata"]!["resourceVersion"])
                return ((409, null), false);
            JsonObject after;
            if (call.ContentType == "application/merge-patch+json")
                after = MergePatch.Apply(before, call.IsScale ? new JsonObject { ["spec"] = new JsonObject { ["replicas"] = patch["spec"]!["replicas"]!.DeepClone() } } : patch);
            else if (call.ContentType == "application/strategic-merge-patch+json" && StrategicGroups.Contains(call.Group) && !call.IsScale)
                after = MergePatch.ApplyStrategic(before, patch);
            else
                return ((415, null), false);
            if (JsonNode.DeepEquals(before, after))
                return ((200, call.IsScale ? Scale(before) : before.DeepClone().AsObject()), false);
            var stored = Store(call.ObjectPath, after, before);
            return ((200, call.IsScale ? Scale(stored) : stored.DeepClone().AsObject()), true);
        }
    }

    private JsonObject Store(string path, JsonObject content, JsonObject? before)
    {
        content["metadata"]!["resourceVersion"] = (++_version).ToString(System.Globalization.CultureInfo.InvariantCulture);
        var generation = (long?)before?["metadata"]?["generation"] ?? 0;
        content["metadata"]!["generation"] = before is not null && JsonNode.DeepEquals(before["spec"], content["spec"]) ? generation : generation + 1;
        return _objects[path] = content.DeepClone().AsObject();
    }

    private static JsonObject Scale(JsonObject deployment) => new()
    {
        ["apiVersion"] = "autoscaling/v1",
        ["kind"] = "Scale",
        ["metadata"] = deployment["metadata"]!.DeepClone(),
        ["spec"] = new JsonObject { ["replicas"] = deployment["spec"]?["replicas"]?.DeepClone() ?? 1 },
        ["status"] = new JsonObject { ["replicas"] = deployment["status"]?["replicas"]?.DeepClone() ?? 0 },
    };

    private static Task RefuseAsync(HttpContext context, int status, string reason, string message) => WriteAsync(context, status, new JsonObject
    {
        ["kind"] = "Status",
        ["apiVersion"] = "v1",
        ["status"] = "Failure",
        ["message"] = message,
        ["reason"] = reason,
        ["code"] = status,
    });

    private static Task WriteAsync(HttpContext context, int status, JsonObject body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(body.ToJsonString(JsonSerializerOptions.Default));
    }
}

/// <summary>What a test does to a write.</summary>
public enum Harm
{
    None,

    /// <summary>The connection ends, and it is not done.</summary>
    BeforeIt,

    /// <summary>It is done, and the connection ends.</summary>
    AfterIt,

    /// <summary>503, and it is not done.</summary>
    Unavailable,
}
