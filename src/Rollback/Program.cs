using Millrace.Rollback;
using Millrace.Rollback.Drill;
using Millrace.Rollback.Health;

return DrillCommand.Match(args) ? await DrillCommand.RunAsync(args) : HealthCommand.Match(args) ? await HealthCommand.RunAsync(args) : await RollbackApp.RunAsync(args);
