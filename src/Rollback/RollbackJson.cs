using System.Text.Json.Serialization;
using Millrace.Rollback.Alerts;
using Millrace.Rollback.Health;
using Millrace.Rollback.Releases;

namespace Millrace.Rollback;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(Notification))]
[JsonSerializable(typeof(Answer))]
[JsonSerializable(typeof(HealthView))]
[JsonSerializable(typeof(Plan))]
[JsonSerializable(typeof(Dictionary<string, string>))]
[JsonSerializable(typeof(System.Text.Json.Nodes.JsonNode))]
internal sealed partial class RollbackJson : JsonSerializerContext;
